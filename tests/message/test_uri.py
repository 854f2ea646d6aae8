import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.message.errors import SipParseError
from ringback.message.grammar import MAX_PARAMS, MAX_URI
from ringback.message.uri import AnyUri, SipUri, TelUri, parse_uri


def test_every_component() -> None:
    uri = SipUri.parse("SIPS:Alice:secret@Atlanta.COM:5061;Transport=tcp;LR;x=%3b?Subject=a%20b&Priority=")
    assert uri.scheme == "sips"
    assert uri.user == "Alice"
    assert uri.password == "secret"
    assert uri.host == "atlanta.com"
    assert uri.port == 5061
    assert uri.params == {"transport": "tcp", "lr": None, "x": "%3b"}
    assert uri.param("x") == ";"
    assert uri.param("lr") is None
    assert uri.headers == [("Subject", "a b"), ("Priority", "")]
    assert str(uri) == "sips:Alice:secret@atlanta.com:5061;transport=tcp;lr;x=%3b?Subject=a%20b&Priority="


def test_a_bare_host() -> None:
    uri = SipUri.parse("sip:example.com")
    assert (uri.user, uri.password, uri.port, uri.params, uri.headers) == (None, None, None, {}, [])
    assert (uri.transport, uri.maddr, uri.ttl, uri.method, uri.lr) == (None, None, None, None, False)


def test_the_parameters_of_section_19_1_1() -> None:
    uri = SipUri.parse("sip:h;transport=TcP;maddr=[2001:DB8::1];ttl=15;method=INVITE;lr=on")
    assert (uri.transport, uri.maddr, uri.ttl, uri.method, uri.lr) == ("TCP", "2001:db8::1", 15, "INVITE", True)


def test_a_ttl_that_is_none() -> None:
    with pytest.raises(SipParseError):
        _ = SipUri.parse("sip:h;ttl=256").ttl


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:example.com:5060", None, "example.com", 5060),
        ("sip:user;par=u%40example.net@example.com", "user;par=u@example.net", "example.com", None),
        ("sip:sips%3Auser%40example.com@example.net", "sips:user@example.com", "example.net", None),
        ("sip:+1-212-555-1212:1234@gateway.com;user=phone", "+1-212-555-1212", "gateway.com", None),
        ("sip:null-%00-null@example.com", "null-\0-null", "example.com", None),
        ("sip:%FC@example.com", "\udcfc", "example.com", None),
        ("sip:a/b?c&d=e+f$g,h;i@h", "a/b?c&d=e+f$g,h;i", "h", None),
        ("sip:user@[2001:db8::10]:5070", "user", "2001:db8::10", 5070),
        ("sip:user@[2001:db8::10:5070]", "user", "2001:db8::10:5070", None),
        ("sip:user@[2001:db8:::192.0.2.1]", "user", "2001:db8::192.0.2.1", None),
        ("sip:a@my_host-1.", "a", "my_host-1.", None),
        ("sip:a:@h", "a", "h", None),
        ("sip:a@h:0", "a", "h", 0),
        ("sip:a@h:65535", "a", "h", 65535),
    ],
)
def test_user_host_and_port(text: str, user: str | None, host: str, port: int | None) -> None:
    uri = SipUri.parse(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)
    assert str(uri) == text.replace(":::", "::")


def test_a_parameter_name_may_be_escaped() -> None:
    uri = SipUri.parse("sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31")
    assert uri.lr
    assert uri.param("name") == "value%41"
    assert SipUri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "sip:@h",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@h",
        "sip:a@h ",
        "sip:a@h:",
        "sip:a@h:x",
        "sip:a@h:65536",
        "sip:a@h:99999999999",
        "sip:a@h;",
        "sip:a@h;;lr",
        "sip:a@h;=x",
        "sip:a@h;x=",
        "sip:a@h?",
        "sip:a@h?x",
        "sip:a@h?x=1&",
        "sip:a@h%61",
        "sip:a%@h",
        "sip:a%4@h",
        "sip:a%zz@h",
        "sip:a@h;x=%",
        "sip:é@h",
        "sip:\udcff@h",
        "sip:a@h\n",
        'sip:"a"@h',
        "sip:<a@h>",
        "sip:a..b@h..c",
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[1::2::3]",
        "sip:[::1%25eth0]",
        "sip:a@h;p=1;P=2",
        "sip:a@h;%6Cr;lr",
        "http://example.com",
    ],
)
def test_what_is_no_sip_uri(text: str) -> None:
    with pytest.raises(SipParseError):
        SipUri.parse(text)


def test_the_length_is_limited() -> None:
    for make in (SipUri.parse, AnyUri.parse, TelUri.parse):
        prefix = {SipUri.parse: "sip:", AnyUri.parse: "urn:", TelUri.parse: "tel:+"}[make]
        at_limit = prefix + "1" * (MAX_URI - len(prefix))
        assert str(make(at_limit)) == at_limit
        with pytest.raises(SipParseError, match="too long"):
            make(at_limit + "1")


def test_the_number_of_parameters_is_limited() -> None:
    at_limit = "sip:h" + "".join([f";p{n}" for n in range(MAX_PARAMS)])
    assert len(SipUri.parse(at_limit).params) == MAX_PARAMS
    with pytest.raises(SipParseError, match="too many"):
        SipUri.parse(at_limit + ";one-more")


def test_what_is_built_is_escaped_where_it_must_be() -> None:
    uri = SipUri(
        "Example.COM", user="a b@c/ü\udcff", password="p:;", port=5070, params={"X": "a;b", "lr": None}, headers=[("Subject", "a&b")]
    )
    assert str(uri) == "sip:a%20b%40c/%C3%BC%FF:p%3A%3B@example.com:5070;x=a%3Bb;lr?Subject=a%26b"
    assert SipUri.parse(str(uri)) == uri
    assert uri.user == "a b@c/ü\udcff"
    assert str(SipUri("2001:db8::1", scheme="sips")) == "sips:[2001:db8::1]"


def test_the_user_may_be_changed() -> None:
    uri = SipUri.parse("sip:a@h")
    uri.user = "b c"
    assert str(uri) == "sip:b%20c@h"
    uri.user = None
    assert str(uri) == "sip:h"


def test_a_copy_is_independent() -> None:
    uri = SipUri.parse("sip:a@h;lr")
    copy = uri.copy()
    copy.params["x"] = None
    assert copy != uri
    assert str(uri) == "sip:a@h;lr"


@pytest.mark.parametrize(
    ("text", "aor"),
    [
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com"),
        ("sip:b%6Fb:secret@BILOXI.com;transport=tcp;user=phone?Subject=x", "sip:bob@biloxi.com"),
        ("sip:bob@biloxi.com:5070", "sip:bob@biloxi.com:5070"),
        ("sips:biloxi.com", "sips:biloxi.com"),
        ("sip:a@[2001:DB8::1]:5060", "sip:a@[2001:db8::1]:5060"),
    ],
)
def test_the_address_of_record(text: str, aor: str) -> None:
    assert SipUri.parse(text).aor() == aor


def test_equality_is_of_the_components() -> None:
    assert SipUri.parse("sip:a@H;X=1") == SipUri.parse("sip:a@h;x=1")
    assert SipUri.parse("sip:a@h") != SipUri.parse("sip:%61@h")
    assert SipUri.parse("sip:a@h") != "sip:a@h"
    assert len({SipUri.parse("sip:a@h"), SipUri.parse("sip:a@H")}) == 1
    assert repr(SipUri.parse("sip:a@h")) == "<SipUri sip:a@h>"


@pytest.mark.parametrize(
    "text", ["nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002", "HTTP://h/p?q=1#f", "urn:service:sos"]
)
def test_another_scheme_is_kept_as_it_is(text: str) -> None:
    uri = parse_uri(text)
    assert isinstance(uri, AnyUri)
    assert str(uri) == text
    assert uri.scheme == text.partition(":")[0].lower()


@pytest.mark.parametrize("text", ["", "a", ":a", "a:", "1a:b", "a b:c", "a:b c", "a:<b>", "a:é", 'a:"', "a:b\r"])
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_uri(text)


def test_another_scheme_is_compared_blind_to_the_schemes_case_only() -> None:
    assert parse_uri("URN:a") == parse_uri("urn:a")
    assert parse_uri("URN:a").matches(parse_uri("urn:a"))
    assert hash(parse_uri("URN:a")) == hash(parse_uri("urn:a"))
    assert parse_uri("urn:A") != parse_uri("urn:a")
    assert parse_uri("urm:a") != parse_uri("urn:a")
    assert repr(parse_uri("urn:a")) == "<AnyUri urn:a>"


@pytest.mark.parametrize(
    ("text", "kind"), [("sip:h", SipUri), ("SIP:h", SipUri), ("sips:h", SipUri), ("Tel:+1", TelUri), ("im:a@h", AnyUri)]
)
def test_the_scheme_says_the_type(text: str, kind: type) -> None:
    assert type(parse_uri(text)) is kind


@given(
    st.text(min_size=1, max_size=20),
    st.text(max_size=10),
    st.sampled_from(["h", "atlanta.com", "192.0.2.1", "2001:db8::1"]),
    st.none() | st.integers(0, 65535),
    st.dictionaries(
        st.text(min_size=1, max_size=5).map(lambda text: text.lower()), st.none() | st.text(min_size=1, max_size=5), max_size=4
    ),
)
def test_whatever_is_built_parses_to_the_same(user: str, password: str, host: str, port: int | None, params: dict[str, str | None]) -> None:
    names = {name.encode("utf-8", "replace").decode().lower(): value for name, value in params.items()}
    ascii_names = {name: value for name, value in names.items() if name.isascii()}
    user, password = (text.encode("utf-8", "replace").decode() for text in (user, password))
    uri = SipUri(host, user=user, password=password, port=port, params=ascii_names)
    again = SipUri.parse(str(uri))
    assert again == uri
    assert again.user == user
    assert again.matches(uri)
