"""Whatever the grammar draws parses, and comes out as it went in; whatever else comes, nothing but a verdict comes of it (T01)."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.message.errors import SipParseError
from ringback.message.fields.registry import FIELDS
from ringback.message.headers import Headers
from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.message.message import Request, Response
from ringback.message.multipart import Multipart
from ringback.message.parser import Malformed, StreamParser, parse_datagram
from ringback.message.uri import parse_uri
from tests.properties import grammar
from tests.torture.anomalies import cases
from tests.torture.corpus import ALL
from tests.torture.mutation import FRAGMENTS, mutants

WIDE = MessageLimits(1 << 20, 1 << 20, 10_000, 1 << 20, 10_000, 10_000)
ATTRIBUTES = (
    *("via", "vias", "from_", "to", "from_tag", "to_tag", "call_id", "cseq", "contact", "contacts", "routes", "record_routes"),
    *("max_forwards", "expires", "require", "supported", "content_type", "reason", "uri", "body", "headers"),
)


def look_at(message: Request | Response) -> None:
    """Asks for everything; `SipParseError` is the only thing that may be wrong."""
    for attribute in ATTRIBUTES:
        with contextlib.suppress(SipParseError, AttributeError):
            getattr(message, attribute)
    with contextlib.suppress(SipParseError):
        look_at_fields(message.headers)
        content_type = message.content_type
        if content_type is not None:
            Multipart.parse(message.body, content_type)
    message.to_bytes()
    with contextlib.suppress(SipParseError):
        repr(message)


def look_at_fields(headers: Headers) -> None:
    names = {*headers.keys, *FIELDS}
    for name in names:
        assert (headers.text(name) is None) is (name not in headers)
        for read in (headers.texts, headers.value, headers.values):
            with contextlib.suppress(SipParseError):
                read(name)
        with contextlib.suppress(SipParseError):
            for value in headers.values(name):
                look_at_value(value)


def look_at_value(value: object) -> None:
    str(value).encode("utf-8", "surrogateescape")
    for name in dir(type(value)):
        if not name.startswith("_") and isinstance(getattr(type(value), name), property):
            with contextlib.suppress(SipParseError):
                getattr(value, name)


def survives(octets: bytes) -> None:
    """No octets raise, over UDP or over a stream; what is a message is written so that it is the same message again."""
    for limits in (DEFAULT_LIMITS, WIDE):
        message = parse_datagram(octets, limits)
        if isinstance(message, Malformed):
            if message.request is not None:
                look_at(message.request)
            continue
        look_at(message)
        written = message.to_bytes()
        again = parse_datagram(written, limits)
        assert not isinstance(again, Malformed)
        assert again.to_bytes() == written
        with contextlib.suppress(SipParseError):
            assert again == message
    parser = StreamParser()
    parser.feed(octets)
    # Each turn takes at least one octet.
    for _ in range(len(octets) + 1):
        found = parser.next_message()
        if found is None:
            return
        if not isinstance(found[0], Malformed):
            look_at(found[0])
    pytest.fail("a stream gave more messages than octets")


@given(grammar.messages)
def test_what_is_valid_parses_to_the_last_field(octets: bytes) -> None:
    message = grammar.parsed(octets)
    for key in message.headers.keys:
        values = message.headers.values(key)
        for value in values:
            if hasattr(value, "uri_text"):
                assert value.uri is not None
    assert message.headers.values("CSeq") == [message.cseq]
    assert message.via == message.vias[0]
    assert message.from_tag == message.from_.tag
    assert message.to_tag == message.to.tag


@given(grammar.messages)
def test_what_is_valid_is_written_as_it_came(octets: bytes) -> None:
    message = grammar.parsed(octets)
    assert message.to_bytes() == octets
    assert grammar.parsed(message.to_bytes()) == message
    copy = message.copy()
    assert copy == message
    assert copy.to_bytes() == octets


@given(grammar.messages)
def test_rendering_every_field_anew_says_the_same(octets: bytes) -> None:
    message = grammar.parsed(octets)
    anew = message.copy()
    for key in dict.fromkeys(message.headers.keys):
        values = message.headers.values(key)
        anew.headers.remove(key)
        field = FIELDS.get(key)
        for value in values:
            anew.headers.append(key, value)
        if field is not None and field.is_list and not values:
            anew.headers.append(key, "")
    again = grammar.parsed(anew.to_bytes())
    for key in message.headers.keys:
        assert again.headers.values(key) == message.headers.values(key)


@given(grammar.requests(has_length=False) | grammar.responses(has_length=False))
def test_without_a_length_a_datagram_ends_the_body(octets: bytes) -> None:
    assert grammar.parsed(octets).to_bytes() == octets


@given(grammar.uris)
def test_uris_parse_and_come_back(text: str) -> None:
    uri = parse_uri(text)
    assert parse_uri(str(uri)) == uri
    assert str(parse_uri(str(uri))) == str(uri)
    assert uri.matches(parse_uri(str(uri)))


@settings(max_examples=60)
@given(
    st.lists(grammar.messages, min_size=1, max_size=3),
    st.lists(st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]), min_size=3, max_size=3),
    st.data(),
)
def test_however_a_stream_is_cut_it_holds_the_same_messages(sent: list[bytes], between: list[bytes], data: st.DataObject) -> None:
    octets = b"".join([gap + one for gap, one in zip(between, sent, strict=False)])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    parser = StreamParser()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        parser.feed(octets[start:end])
        while (one := parser.next_message()) is not None:
            found.append(one)
    assert [octets for _, octets in found] == sent
    assert [message for message, _ in found] == [grammar.parsed(one) for one in sent]
    assert parser.is_between_messages


@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    survives(octets)


@given(
    st.lists(
        st.sampled_from(
            [*FRAGMENTS, b"OPTIONS sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n", b"From: <sip:a@b>;tag=1\r\n", b"To: <sip:c@d>\r\n"]
        ),
        max_size=30,
    )
)
def test_any_heap_of_fragments(fragments: list[bytes]) -> None:
    survives(b"".join(fragments))


@settings(max_examples=40)
@given(grammar.messages, st.integers(0, 2**32))
def test_mutants_of_what_is_valid(octets: bytes, chance: int) -> None:
    for mutant in mutants(random.Random(chance), 4, [octets]):
        survives(mutant)


def test_mutants_of_the_torture_messages(seed: int, long_form: bool) -> None:
    for mutant in mutants(random.Random(seed), 50_000 if long_form else 1_500):
        survives(mutant)


def test_anomalies_of_every_element(seed: int, long_form: bool) -> None:
    for _, octets in cases(random.Random(seed), None if long_form else 1_000):
        survives(octets)


@pytest.mark.long
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.file)
def test_torture_messages_cut_at_every_octet_and_with_every_octet_flipped(case: object) -> None:
    octets: bytes = case.octets  # type: ignore[attr-defined]
    for place in range(0, len(octets), max(1, len(octets) // 600)):
        survives(octets[:place])
        survives(octets[:place] + bytes([octets[place] ^ 0xFF]) + octets[place + 1 :])
