import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import STAR, NameAddr, parse_bracketed, parse_contact, parse_info
from ringback.message.grammar import MAX_IDENTIFIER, MAX_PARAMS, MAX_URI
from ringback.message.uri import AnyUri, SipUri


@pytest.mark.parametrize(
    ("text", "display_name", "uri", "params"),
    [
        ('"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s', "A. G. Bell", "sip:agb@bell-telephone.com", {"tag": "a48s"}),
        ("Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", "Anonymous", "sip:c8oqz84zk7z@privacy.org", {"tag": "hyh8"}),
        ("sip:+12125551212@server.phone2net.com;tag=887s", None, "sip:+12125551212@server.phone2net.com", {"tag": "887s"}),
        ("<sip:p2.domain.com;lr>", None, "sip:p2.domain.com;lr", {}),
        ("<sip:p2.domain.com;lr> ; X = y", None, "sip:p2.domain.com;lr", {"x": "y"}),
        ("caller<sip:caller@example.com>;tag=323", "caller", "sip:caller@example.com", {"tag": "323"}),
        ("Mr.  Watson\t<mailto:watson@bell-telephone.com>", "Mr.  Watson", "mailto:watson@bell-telephone.com", {}),
        (r'"J Rosenberg \\\"" <sip:jdrosen@example.com>', 'J Rosenberg \\"', "sip:jdrosen@example.com", {}),
        ('"<a>;,b" <sip:h>', "<a>;,b", "sip:h", {}),
        ('""<sip:h>', "", "sip:h", {}),
        ("Jürgen \udcff <sip:h>", "Jürgen \udcff", "sip:h", {}),
        ('"é\udcff" <sip:h>', "é\udcff", "sip:h", {}),
        ('<sip:h>;+sip.instance="<urn:uuid:0;1>";reg-id=1', None, "sip:h", {"+sip.instance": '"<urn:uuid:0;1>"', "reg-id": "1"}),
        ("sip:h \t;a", None, "sip:h", {"a": None}),
        ('sip:h;a="<b>"', None, "sip:h", {"a": '"<b>"'}),
    ],
)
def test_parts(text: str, display_name: str | None, uri: str, params: dict[str, str | None]) -> None:
    address = NameAddr.parse(text)
    assert address.display_name == display_name
    assert address.uri_text == uri
    assert address.params == params
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Alice",
        "<>",
        "< sip:h>",
        "<sip:h >",
        "<sip:h",
        "sip:h>",
        "<<sip:h>>",
        "<sip:a><sip:b>",
        "<sip:h> x",
        "<sip:h>x",
        "<sip:h>;",
        "<sip:h>;;a",
        "<sip:h>,<sip:h>",
        "<alice@h>",
        "alice",
        "1:a",
        'Mr "A" <sip:h>',
        '"A" B <sip:h>',
        '"A <sip:h>',
        '"A\\" <sip:h>',
        "A; B <sip:h>",
        "Bell, Alexander <sip:a.g.bell@example.com>;tag=43",
        "A(b) <sip:h>",
        '"Watson, Thomas" < t.watson@example.org >',
        '<sip:"a"@h>',
        "<sip:h>;tag",
        '<sip:h>;tag="a"',
        "<sip:h>;tag=a;Tag=b",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(SipParseError):
        NameAddr.parse(text)


@pytest.mark.parametrize("text", ["sip:user@example.com?Route=%3Csip:sip.example.com%3E", "sip:a,b@h", "sip:a?b@h", "http://h/?q"])
def test_a_question_mark_or_comma_needs_brackets(text: str) -> None:
    with pytest.raises(SipParseError):
        NameAddr.parse(text)
    assert NameAddr.parse(f"<{text}>").uri_text == text


def test_without_brackets_a_semicolon_begins_the_fields_parameters() -> None:
    address = NameAddr.parse("sip:alice@h;transport=tcp;tag=1")
    assert address.params == {"transport": "tcp", "tag": "1"}
    assert address.uri == SipUri("h", user="alice")
    assert str(address) == "<sip:alice@h>;transport=tcp;tag=1"


def test_the_uri_is_parsed_when_asked_for_and_kept() -> None:
    address = NameAddr.parse("<sip:alice@H;lr>")
    assert isinstance(address.uri, SipUri)
    assert address.uri is address.uri
    assert isinstance(NameAddr.parse("<urn:service:sos>").uri, AnyUri)
    malformed = NameAddr.parse("<sip:@h>")
    with pytest.raises(SipParseError):
        _ = malformed.uri


def test_the_uri_may_be_changed() -> None:
    address = NameAddr.parse("A <sip:a@h>;tag=1")
    _ = address.uri
    address.uri = SipUri("h", user="b")
    assert address.uri.user == "b"
    assert str(address) == "A <sip:b@h>;tag=1"


@pytest.mark.parametrize(
    ("name", "text"), [("Al Bell", "Al Bell <sip:h>"), ("A; B", '"A; B" <sip:h>'), ("", '"" <sip:h>'), (None, "<sip:h>")]
)
def test_a_name_is_quoted_where_it_must_be(name: str | None, text: str) -> None:
    address = NameAddr("sip:h", name)
    assert str(address) == text
    assert address.display_name == name


def test_the_tag() -> None:
    address = NameAddr("sip:h")
    assert address.tag is None
    address.tag = "a"
    assert str(address) == "<sip:h>;tag=a"
    address.tag = None
    assert str(address) == "<sip:h>"
    address.tag = None
    assert address.params == {}


@pytest.mark.parametrize(("q", "value"), [("0", 0.0), ("0.", 0.0), ("0.5", 0.5), ("0.123", 0.123), ("1", 1.0), ("1.000", 1.0)])
def test_q(q: str, value: float) -> None:
    assert NameAddr.parse(f"<sip:h>;q={q}").q == value


@pytest.mark.parametrize("param", ["q", "q=1.1", "q=0.1234", "q=2", "q=-1", "q=.5", "q=1.001", 'q="0.5"'])
def test_what_is_no_q(param: str) -> None:
    with pytest.raises(SipParseError):
        _ = NameAddr.parse(f"<sip:h>;{param}").q


@pytest.mark.parametrize(
    ("param", "seconds"),
    [
        ("expires=0", 0),
        ("expires=60", 60),
        ("expires=4294967295", 4294967295),
        ("expires=280297596632815", 3600),
        ("expires=x", 3600),
        ("expires", 3600),
    ],
)
def test_expires(param: str, seconds: int) -> None:
    assert NameAddr.parse(f"<sip:h>;{param}").expires == seconds


def test_neither_q_nor_expires() -> None:
    address = NameAddr.parse("<sip:h>")
    assert address.q is None
    assert address.expires is None


def test_a_copy_is_independent() -> None:
    address = NameAddr.parse('"A" <sip:h>;tag=1')
    copy = address.copy()
    assert copy == address
    copy.tag = "2"
    assert address.tag == "1"


def test_equality() -> None:
    assert NameAddr.parse('"A" <sip:h>') == NameAddr.parse("A <sip:h>")
    for other in ("B <sip:h>", "A <sip:H>", "A <sip:h>;a"):
        assert NameAddr.parse(other) != NameAddr.parse("A <sip:h>")
    assert NameAddr("sip:h") != "<sip:h>"
    assert repr(NameAddr("sip:h")) == "<NameAddr <sip:h>>"


def test_the_limits() -> None:
    uri = "sip:" + "h" * (MAX_URI - 4)
    tag = "t" * MAX_IDENTIFIER
    params = "".join([f";p{n}" for n in range(MAX_PARAMS - 1)])
    assert NameAddr.parse(f"<{uri}>;tag={tag}{params}").uri_text == uri
    for text in (f"<{uri}h>", f"{uri}h", f"<sip:h>;tag={tag}t", f"<sip:h>;tag={tag}{params};a"):
        if not text.endswith(";a"):
            with pytest.raises(SipParseError):
                NameAddr.parse(text)
    with pytest.raises(SipParseError, match="too many"):
        NameAddr.parse(f"<sip:h>;tag=1{params};a")


def test_the_star_of_contact() -> None:
    assert parse_contact("*") is STAR
    assert str(STAR) == "*"
    assert repr(STAR) == "STAR"
    assert parse_contact("<sip:h>") == NameAddr("sip:h")


@pytest.mark.parametrize("text", ["*;expires=0", "* ", "**"])
def test_what_is_no_star(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_contact(text)


def test_routes_need_brackets() -> None:
    assert parse_bracketed("P <sip:p.com;lr>;x").uri_text == "sip:p.com;lr"
    with pytest.raises(SipParseError):
        parse_bracketed("sip:p.com;lr")
    with pytest.raises(SipParseError):
        parse_bracketed('sip:p.com;a="<sip:p.com>"')


def test_infos_have_no_name() -> None:
    info = parse_info("<http://www.example.com/alice/photo.jpg> ;purpose=icon")
    assert info.uri_text == "http://www.example.com/alice/photo.jpg"
    assert info.params == {"purpose": "icon"}
    for text in ("A <http://h>", "http://h"):
        with pytest.raises(SipParseError):
            parse_info(text)
