"""Which field holds which kind, each with a value of its RFC's own examples where it has one."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ringback.message.errors import SipParseError
from ringback.message.fields.registry import COMPACT_FORMS, FIELDS
from ringback.message.grammar import split_list

EXAMPLES = {
    "accept": "application/sdp;level=1, application/x-private, text/html",
    "accept-contact": '*;mobility="fixed";methods="INVITE,BYE", *;audio;require',
    "accept-encoding": "gzip, *;q=0.5",
    "accept-language": "da, en-gb;q=0.8, en;q=0.7",
    "alert-info": "<http://www.example.com/sounds/moo.wav>",
    "allow": "INVITE, ACK, OPTIONS, CANCEL, BYE",
    "allow-events": "presence.winfo, dialog",
    "authentication-info": 'nextnonce="47364c23432d2e131a5fb210812c"',
    "authorization": 'Digest username="Alice", realm="atlanta.com", nonce="84a4cc6f3082121f", response="7587245234b3434c"',
    "call-id": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.com",
    "call-info": "<http://wwww.example.com/alice/photo.jpg> ;purpose=icon, <http://www.example.com/alice/> ;purpose=info",
    "contact": '"Mr. Watson" <sip:watson@worcester.bell-telephone.com>;q=0.7; expires=3600, <mailto:watson@bell-telephone.com> ;q=0.1',
    "content-disposition": "session;handling=optional",
    "content-encoding": "gzip",
    "content-language": "fr, en-GB",
    "content-length": "349",
    "content-type": "text/html; charset=ISO-8859-4",
    "cseq": "4711 INVITE",
    "date": "Sat, 13 Nov 2010 23:29:00 GMT",
    "diversion": '<sip:a@h>;reason=no-answer;counter=1;privacy="off"',
    "error-info": "<sip:not-in-service-recording@atlanta.com>",
    "event": "presence;id=1",
    "expires": "5",
    "feature-caps": '*;+g.foo;+g.bar="x"',
    "from": '"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s',
    "history-info": "<sip:bob@biloxi.example.com;p=x>;index=1.1;rc=1, <sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D302>;index=1.2;mp=1.1",
    "identity": "sv5CTo05KqpSmtHt3dcEiO;info=<https://biloxi.example.org/biloxi.cer>;alg=ES256",
    "in-reply-to": "70710@saturn.bell-tel.com, 17320@saturn.bell-tel.com",
    "info-package": "foo;bar=1",
    "join": "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff",
    "max-breadth": "60",
    "max-forwards": "6",
    "mime-version": "1.0",
    "min-expires": "60",
    "min-se": "60;x=y",
    "organization": "Boxes by Bob",
    "p-asserted-identity": '"Cullen Jennings" <sip:fluffy@cisco.com>, tel:+14085264000',
    "p-preferred-identity": '"Cullen Jennings" <sip:fluffy@cisco.com>',
    "path": "<sip:P3.EXAMPLEHOME.COM;lr>,<sip:P1.EXAMPLEVISITED.COM;lr>",
    "priority": "non-urgent",
    "privacy": "header;user;critical",
    "proxy-authenticate": 'Digest realm="atlanta.com", domain="sip:ss1.carrier.com", qop="auth", nonce="f84f", stale=FALSE, algorithm=MD5',
    "proxy-authorization": 'Digest username="Alice", realm="atlanta.com", nonce="c60f", response="245f"',
    "proxy-require": "foo",
    "rack": "776656 1 INVITE",
    "reason": 'SIP ;cause=600 ;text="Busy Everywhere", Q.850 ;cause=16 ;text="Terminated"',
    "record-route": "<sip:server10.biloxi.com;lr>, <sip:bigbox3.site3.atlanta.com;lr>",
    "recv-info": "foo, bar;x=1",
    "refer-sub": "false;x=1",
    "refer-to": "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>",
    "referred-by": '<sip:r@ref.example>;cid="20398823.2UWQFN309shb3@ref.example"',
    "reject-contact": '*;actor="msg-taker";video',
    "replaces": "98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff",
    "reply-to": "Bob <sip:bob@biloxi.com>",
    "request-disposition": "proxy, recurse, parallel",
    "require": "100rel",
    "retry-after": "18000;duration=3600",
    "route": "<sip:bigbox3.site3.atlanta.com;lr>, <sip:server10.biloxi.com;lr>",
    "rseq": "988789",
    "sip-etag": "dx200xyz",
    "sip-if-match": "dx200xyz",
    "server": "HomeServer v2",
    "service-route": "<sip:P2.HOME.EXAMPLE.COM;lr>, <sip:HSP.HOME.EXAMPLE.COM;lr>",
    "session-expires": "4000;refresher=uac",
    "subject": "Need more boxes; é, (no)",
    "subscription-state": "active;expires=60",
    "supported": "100rel, timer",
    "target-dialog": "fa77as7dad8-sd98ajzz@host.example.com ;local-tag=kkaz- ;remote-tag=6544",
    "timestamp": "54 0.2",
    "to": "The Operator <sip:operator@cs.columbia.edu>;tag=287447",
    "unsupported": "foo",
    "user-agent": "Softphone Beta1.5",
    "via": "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1, SIP/2.0/TCP [2001:db8::1]",
    "www-authenticate": 'Digest realm="atlanta.com", domain="sip:boxesbybob.com", qop="auth", nonce="f84f", opaque="", algorithm=MD5',
    "warning": "307 isi.edu \"Session parameter 'foo' not understood\", 301 isi.edu \"Incompatible network address type 'E.164'\"",
}

# RFC 3261 §20's own sections, 20.1 to 20.44
SECTION_20 = """
Accept Accept-Encoding Accept-Language Alert-Info Allow Authentication-Info Authorization Call-ID Call-Info Contact Content-Disposition
Content-Encoding Content-Language Content-Length Content-Type CSeq Date Error-Info Expires From In-Reply-To Max-Forwards Min-Expires
MIME-Version Organization Priority Proxy-Authenticate Proxy-Authorization Proxy-Require Record-Route Reply-To Require Retry-After Route
Server Subject Supported Timestamp To Unsupported User-Agent Via Warning WWW-Authenticate
"""

FRAGMENTS = [
    *[value for value in EXAMPLES.values() if len(value) < 60],
    *';;;,,==<>"\\\\ \t()@:/?*%[]',
    *[
        "sip:",
        "tel:+1",
        "tag=",
        "branch=",
        ";q=",
        ";expires=",
        "%41",
        "%zz",
        "é",
        "\udcff",
        "\0",
        "\r\n",
        "SIP/2.0/UDP ",
        "[::1]",
        "0",
        "9" * 20,
        "٣",
    ],
]
EXAMPLES_RUN = max(600, settings.default.max_examples if settings.default else 0)


def _values(key: str, text: str) -> list[object]:
    field = FIELDS[key]
    assert field.parse is not None
    return [field.parse(element) for element in (split_list(text) if field.is_list else [text])]


def test_there_is_an_example_for_every_field() -> None:
    assert set(EXAMPLES) == set(FIELDS)


def test_every_field_of_section_20_is_known() -> None:
    names = re.findall(r"\S+", SECTION_20)
    assert len(names) == 44
    assert {FIELDS[name.lower()].name for name in names} == set(names)


def test_the_compact_forms_of_their_rfcs() -> None:
    assert {compact: FIELDS[key].name for compact, key in COMPACT_FORMS.items()} == {
        "a": "Accept-Contact",
        "b": "Referred-By",
        "c": "Content-Type",
        "d": "Request-Disposition",
        "e": "Content-Encoding",
        "f": "From",
        "i": "Call-ID",
        "j": "Reject-Contact",
        "k": "Supported",
        "l": "Content-Length",
        "m": "Contact",
        "o": "Event",
        "r": "Refer-To",
        "s": "Subject",
        "t": "To",
        "u": "Allow-Events",
        "v": "Via",
        "x": "Session-Expires",
        "y": "Identity",
    }


@pytest.mark.parametrize("key", [key for key, field in FIELDS.items() if field.parse])
def test_the_example_survives(key: str) -> None:
    values = _values(key, EXAMPLES[key])
    assert values
    for value in values:
        assert _values(key, str(value)) == [value]


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate"])
def test_the_authentication_fields_are_no_comma_lists(name: str) -> None:
    assert not FIELDS[name.lower()].is_list


@pytest.mark.parametrize(("name", "limit"), [("Via", 70), ("Route", 20), ("Accept", 32), ("Accept-Encoding", 32), ("Accept-Language", 32)])
def test_the_fields_with_a_limit(name: str, limit: int) -> None:
    assert FIELDS[name.lower()].limit == limit


@settings(max_examples=EXAMPLES_RUN)
@given(
    st.sampled_from(sorted(key for key, field in FIELDS.items() if field.parse)),
    st.lists(st.sampled_from(FRAGMENTS), max_size=8),
    st.data(),
)
def test_any_text_parses_and_survives_or_is_refused(key: str, fragments: list[str], data: st.DataObject) -> None:
    text = "".join(fragments)
    if data.draw(st.booleans()):
        # Most random texts fail at once; an example with something stuck into it goes further.
        at = data.draw(st.integers(0, len(EXAMPLES[key])))
        text = EXAMPLES[key][:at] + text[:12] + EXAMPLES[key][at:]
    try:
        values = _values(key, text)
    except SipParseError:
        return
    for value in values:
        assert _values(key, str(value)) == [value]


@settings(max_examples=EXAMPLES_RUN)
@given(st.sampled_from(sorted(key for key, field in FIELDS.items() if field.parse)), st.binary(max_size=40))
@example("from", b'"\xff\xfe" <sip:a@h>')
def test_any_octets_parse_or_are_refused(key: str, octets: bytes) -> None:
    text = octets.decode("utf-8", "surrogateescape")
    try:
        values = _values(key, text)
    except SipParseError:
        return
    for value in values:
        str(value).encode("utf-8", "surrogateescape")
