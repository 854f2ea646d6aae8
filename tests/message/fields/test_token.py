from collections.abc import Callable

import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.token import parse_call_id, parse_event_type, parse_language_tag, parse_mime_version, parse_token
from ringback.message.grammar import MAX_IDENTIFIER


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_token, "100rel"),
        (parse_call_id, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@foo.bar.com"),
        (parse_call_id, "x" * MAX_IDENTIFIER),
        (parse_language_tag, "en"),
        (parse_language_tag, "zh-Hant-419"),
        (parse_event_type, "presence.winfo"),
        (parse_event_type, "dialog"),
        (parse_mime_version, "1.0"),
    ],
)
def test_the_text_itself_is_the_value(parse: Callable[[str], str], text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_token, ""),
        (parse_token, "a b"),
        (parse_call_id, "a@"),
        (parse_call_id, "x" * (MAX_IDENTIFIER + 1)),
        (parse_language_tag, "englishlanguage"),
        (parse_language_tag, "en-"),
        (parse_language_tag, "*"),
        (parse_event_type, ".winfo"),
        (parse_event_type, "a..b"),
        (parse_mime_version, "1"),
        (parse_mime_version, "1.٣"),
    ],
)
def test_what_is_none(parse: Callable[[str], str], text: str) -> None:
    with pytest.raises(SipParseError):
        parse(text)
