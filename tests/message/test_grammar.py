import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.message import grammar
from ringback.message.errors import SipParseError
from ringback.message.grammar import (
    ascii_lower,
    ascii_upper,
    escape,
    is_call_id,
    is_quoted,
    is_token,
    parse_params,
    parse_uint,
    quote,
    render_params,
    split_list,
    split_params,
    unescape,
    unquote,
)


@pytest.mark.parametrize("text", ["INVITE", "-.!%*_+`'~", "a1", "z" * 10_000])
def test_a_token_is(text: str) -> None:
    assert is_token(text)


@pytest.mark.parametrize("text", ["", "a b", "a;", "a=", '"a"', "é", "a\n", "\udcff", "a/b", "a@b"])
def test_no_token_is(text: str) -> None:
    assert not is_token(text)


@pytest.mark.parametrize("text", ["a84b4c76e66710", "f81d4fae-7dec@foo.bar.com", "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"])
def test_a_call_id_is(text: str) -> None:
    assert is_call_id(text)


@pytest.mark.parametrize("text", ["", "@b", "a@", "a@b@c", "a b", "a,b", "a;b", "é"])
def test_no_call_id_is(text: str) -> None:
    assert not is_call_id(text)


def test_only_ascii_has_case() -> None:
    assert ascii_lower("VIA") == "via"
    assert ascii_lower("STRAẞE İK") == "straẞe İk"
    assert ascii_upper("udp") == "UDP"
    assert ascii_upper("ſtraße") == "ſTRAßE"


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("0009", 9), ("4294967295", 4294967295)])
def test_a_number(text: str, number: int) -> None:
    assert parse_uint(text, 4294967295) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1 ", "1_0", "٣", "²", "1.0", "0x1", "a", "\udcff"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(SipParseError, match="not a number"):
        parse_uint(text, 100)


@pytest.mark.parametrize("text", ["101", "4294967296", "99999999999", "0" * 11, "9" * 60_000])
def test_a_number_above_its_maximum(text: str) -> None:
    with pytest.raises(SipParseError, match="too large"):
        parse_uint(text, 100)


@pytest.mark.parametrize(
    ("quoted", "content"),
    [
        ('""', ""),
        ('"a b"', "a b"),
        (r'"a\"b"', 'a"b'),
        (r'"a\\"', "a\\"),
        ('"é\udcff"', "é\udcff"),
        ("plain", "plain"),
        ('"', '"'),
        (r'"\a"', "a"),
    ],
)
def test_unquote(quoted: str, content: str) -> None:
    assert unquote(quoted) == content


def test_quote_escapes_what_would_end_the_string_or_be_refused_in_it() -> None:
    assert quote('a"b\\c\x01é') == '"a\\"b\\\\c\\\x01é"'


@pytest.mark.parametrize("text", ["a\rb", "a\nb"])
def test_line_ends_cannot_be_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="CR or LF"):
        quote(text)


@given(st.text(st.characters(exclude_characters="\r\n")))
def test_unquote_undoes_quote(text: str) -> None:
    quoted = quote(text)
    assert is_quoted(quoted)
    assert unquote(quoted) == text


@pytest.mark.parametrize("text", ["", "a", '"', '"a', '"a\\"', '"a"b', '"\x00"', '"\n"'])
def test_what_is_no_quoted_string(text: str) -> None:
    assert not is_quoted(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a", "a"),
        ("%61", "a"),
        ("%C3%BC", "ü"),
        ("%c3%bc", "ü"),
        ("%FF", "\udcff"),
        ("%00", "\0"),
        ("%", "%"),
        ("%4", "%4"),
        ("%zz", "%zz"),
    ],
)
def test_unescape(text: str, plain: str) -> None:
    assert unescape(text) == plain


def test_unescape_undoes_one_layer_only() -> None:
    assert unescape("%2541") == "%41"


@given(st.binary())
def test_unescape_undoes_escape(octets: bytes) -> None:
    text = octets.decode("utf-8", "surrogateescape")
    escaped = escape(text, frozenset("abc"))
    assert escaped.isascii()
    assert unescape(escaped) == text


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("", []),
        (" \t", []),
        ("a", ["a"]),
        (" a ,\tb ", ["a", "b"]),
        ('"a,b" <sip:x,y@z>, c', ['"a,b" <sip:x,y@z>', "c"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        ("<sip:a>,<sip:b>", ["<sip:a>", "<sip:b>"]),
        ("sip:(a@h, sip:b(@h", ["sip:(a@h", "sip:b(@h"]),
        ("a \u00a0, b", ["a \u00a0", "b"]),
    ],
)
def test_split_list(text: str, elements: list[str]) -> None:
    assert split_list(text) == elements


@pytest.mark.parametrize("text", [",", "a,", ",a", "a,,b", '"a",', "<a>, ,b", "a, \t,b"])
def test_an_empty_element_is_no_list(text: str) -> None:
    with pytest.raises(SipParseError, match="empty element"):
        split_list(text)


@pytest.mark.parametrize(("text", "fault"), [('a, "b', "quoted string"), ("a, <b", "'<'"), ('"a\\"', "quoted string")])
def test_what_never_closes_is_no_list(text: str, fault: str) -> None:
    with pytest.raises(SipParseError, match=fault):
        split_list(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a; b ;c", ["a", "b", "c"]), ('a;b="x;y"; c', ["a", 'b="x;y"', "c"]), ("<sip:a;b>;c", ["<sip:a;b>", "c"]), ("", [""])],
)
def test_split_params(text: str, parts: list[str]) -> None:
    assert split_params(text) == parts


@pytest.mark.parametrize("text", ["a;<b", 'a;"b'])
def test_what_never_closes_has_no_params(text: str) -> None:
    with pytest.raises(SipParseError, match="not closed"):
        split_params(text)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", {}),
        (";a", {"a": None}),
        (";Branch=Z9;LR", {"branch": "Z9", "lr": None}),
        (' ; a = b ;\tc="d;e"', {"a": "b", "c": '"d;e"'}),
        (";maddr=[2001:db8::1];n=::1", {"maddr": "[2001:db8::1]", "n": "::1"}),
        (';t="é\udcff"', {"t": '"é\udcff"'}),
    ],
)
def test_parse_params(text: str, params: dict[str, str | None]) -> None:
    assert parse_params(text) == params


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a", "';' expected"),
        (";", "empty parameter"),
        (";a;;b", "empty parameter"),
        (";a=", "bad parameter value"),
        (";a=b c", "bad parameter value"),
        (';a="b"c', "bad parameter value"),
        (";a=é", "bad parameter value"),
        (";=b", "bad parameter name"),
        (";é", "bad parameter name"),
        (";a b", "bad parameter name"),
        (';a="b', "not closed"),
    ],
)
def test_what_are_no_params(text: str, fault: str) -> None:
    with pytest.raises(SipParseError, match=fault):
        parse_params(text)


@pytest.mark.parametrize("text", [";a;A", ";a=1;a=2", "; a ;b;a"])
def test_a_parameter_name_appears_once(text: str) -> None:
    with pytest.raises(SipParseError, match="twice"):
        parse_params(text)


def test_the_number_of_parameters_is_limited() -> None:
    at_limit = "".join([f";p{n}" for n in range(grammar.MAX_PARAMS)])
    assert len(parse_params(at_limit)) == grammar.MAX_PARAMS
    with pytest.raises(SipParseError, match="too many"):
        parse_params(at_limit + ";one-more")


def test_render_params_keeps_the_order() -> None:
    assert render_params({"b": "1", "a": None, "c": '"x"'}) == ';b=1;a;c="x"'
