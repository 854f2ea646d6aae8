"""Headers: ordered, blind to case and compact forms, raw until asked for (RFC 3261 §7.3)."""

import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.registry import COMPACT_FORMS, FIELDS
from ringback.message.fields.via import Via
from ringback.message.headers import Headers, key_of, split_lines


def received(*lines: str) -> Headers:
    """Headers as a parser makes them."""
    return Headers.from_lines(*split_lines(list(lines)))


# Names.


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Via", "via"),
        ("VIA", "via"),
        ("vIa", "via"),
        ("v", "via"),
        ("V", "via"),
        ("call-ID", "call-id"),
        ("I", "call-id"),
        ("X-Unknown", "x-unknown"),
    ],
)
def test_names_are_blind_to_case_and_compact_forms(name: str, key: str) -> None:
    assert key_of(name) == key


@pytest.mark.parametrize("name", ["\u212a", "\u017fubject", "sub\u0131ect", "vi\u0430"])
def test_only_ascii_has_case(name: str) -> None:
    assert key_of(name) == name
    with pytest.raises(SipParseError):
        split_lines([f"{name}: x"])


@pytest.mark.parametrize(("compact", "key"), sorted(COMPACT_FORMS.items()))
def test_a_field_is_one_field_in_its_compact_form(compact: str, key: str) -> None:
    name = FIELDS[key].name
    for written in (compact, compact.upper(), name, name.upper(), name.lower()):
        headers = received(f"{written}: x")
        assert name in headers
        assert compact in headers
        assert headers.text(name) == headers.text(compact) == "x"


# Lines.


@pytest.mark.parametrize("line", ["Subject: a", "Subject:a", "Subject:  a ", "Subject :\ta", "Subject\t : a", "subject:\r\n a"])
def test_blanks_around_the_colon(line: str) -> None:
    assert received(*line.split("\r\n")).text("Subject") == "a"


@pytest.mark.parametrize(
    "line",
    ["Subject", "", ":", ": a", "Sub ject: a", "Sub\0ject: a", "Subject\xa0: a", "Subject\x01: a", "Sub(ject: a", '"Subject": a', "é: a"],
)
def test_what_is_no_header_line(line: str) -> None:
    with pytest.raises(SipParseError, match="Malformed Header Line"):
        split_lines([line])


def test_folds_are_kept_and_read_as_one_blank() -> None:
    headers = received("Subject: a", "\tb", "   c  ", "To: <sip:x@y>")
    assert headers.lines == ["Subject: a\r\n\tb\r\n   c  ", "To: <sip:x@y>"]
    assert headers.text("Subject") == "a b c"
    assert list(headers) == [("Subject", "a b c"), ("To", "<sip:x@y>")]


def test_a_fold_needs_a_line_before_it() -> None:
    with pytest.raises(SipParseError, match="White Space"):
        split_lines([" a: b"])


@pytest.mark.parametrize("blank", ["\xa0", "\x1c", "\x85", "\u2028", "\x0b"])
def test_only_space_and_tab_are_blanks(blank: str) -> None:
    assert received(f"Subject: {blank}a{blank}").text("Subject") == f"{blank}a{blank}"


# Reading.


def test_a_list_may_stand_in_one_line_or_several() -> None:
    for headers in (
        received("Route: <sip:a;lr>, <sip:b;lr>", "Route: <sip:c;lr>"),
        received("Route: <sip:a;lr>", "Route: <sip:b;lr>", "Route: <sip:c;lr>"),
        received("Route: <sip:a;lr>,<sip:b;lr> ,", " <sip:c;lr>"),
    ):
        assert headers.texts("Route") == ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"]
        assert [str(route.uri) for route in headers.values("Route")] == ["sip:a;lr", "sip:b;lr", "sip:c;lr"]
        assert headers.value("Route") == headers.values("Route")[0]


def test_what_is_no_list_is_not_split() -> None:
    assert received("Subject: a, b", "Subject: c").texts("Subject") == ["a, b", "c"]
    assert received("X-Unknown: a, b").texts("X-Unknown") == ["a, b"]
    assert received("X-Unknown: a, b").values("X-Unknown") == ["a, b"]
    assert received("X-Unknown: a, b").value("X-Unknown") == "a, b"
    assert received("Subject: a, b").value("Subject") == "a, b"


def test_what_is_absent() -> None:
    headers = Headers()
    assert (headers.text("Via"), headers.value("Via"), headers.texts("Via"), headers.values("Via")) == (None, None, [], [])
    assert headers.line("via") is None
    assert headers.count("Via") == len(headers) == 0
    assert "Via" not in headers


def test_values_are_parsed_once() -> None:
    headers = received("Via: SIP/2.0/UDP a;branch=z9hG4bK1", "CSeq: 1 INVITE")
    assert headers.value("Via") is headers.value("v")
    assert headers.values("Via") is headers.values("v")


@pytest.mark.parametrize("read", ["value", "values", "texts"])
def test_a_fault_names_its_field(read: str) -> None:
    headers = received("m: <sip:a@b>, , <sip:c@d>")
    with pytest.raises(SipParseError) as caught:
        getattr(headers, read)("Contact")
    assert (caught.value.field, caught.value.reason) == ("Contact", "empty element in list")
    with pytest.raises(SipParseError) as caught:
        getattr(received("v: nonsense"), "values" if read == "texts" else read)("Via")
    assert caught.value.field == "Via"


@pytest.mark.parametrize("name", ["Supported", "Accept", "Allow", "Accept-Encoding", "Accept-Language"])
def test_a_list_may_be_empty_where_its_grammar_says_so(name: str) -> None:
    headers = received(f"{name}:", f"{name}:  ")
    assert headers.texts(name) == headers.values(name) == []
    assert headers.value(name) is None


def test_an_empty_line_of_a_list_adds_nothing() -> None:
    headers = received("Supported:", "k: 100rel")
    assert headers.values("Supported") == ["100rel"]
    assert headers.value("Supported") == "100rel"


@pytest.mark.parametrize("name", ["Via", "Route", "Record-Route", "Path", "Service-Route"])
@pytest.mark.parametrize("read", ["value", "values", "texts"])
def test_a_field_that_says_where_to_is_never_empty(name: str, read: str) -> None:
    headers = received(f"{name}:")
    with pytest.raises(SipParseError) as caught:
        getattr(headers, read)(name)
    assert (caught.value.field, caught.value.reason) == (name, "no value")


VALUES = {
    "via": "SIP/2.0/UDP a",
    "route": "<sip:a;lr>",
    "accept": "a/b",
    "accept-contact": "*;audio",
    "accept-encoding": "gzip",
    "accept-language": "en",
    "reject-contact": "*;audio",
}


@pytest.mark.parametrize("key", [key for key, field in FIELDS.items() if field.limit is not None])
@pytest.mark.parametrize("in_lines", [False, True])
def test_a_field_with_a_limit_holds_as_many_values_and_no_more(key: str, in_lines: bool) -> None:
    limit = FIELDS[key].limit
    assert limit is not None
    for count in (limit - 1, limit, limit + 1):
        values = [VALUES[key]] * count
        headers = received(*[f"{key}: {value}" for value in values]) if in_lines else received(f"{key}: {', '.join(values)}")
        if count <= limit:
            assert len(headers.texts(key)) == len(headers.values(key)) == count
            continue
        for read in (headers.texts, headers.values):
            with pytest.raises(SipParseError, match="too many values"):
                read(key)


# Writing.


def test_append_prepend_set_remove() -> None:
    headers = Headers([("From", "<sip:a@b>"), ("Subject", "one")])
    headers.append("Subject", "two")
    headers.prepend("Subject", "zero")
    assert headers.texts("Subject") == ["zero", "one", "two"]
    headers.set("s", "only")
    assert list(headers) == [("From", "<sip:a@b>"), ("s", "only")]
    headers.set("Event", "presence")
    assert headers.lines[-1] == "Event: presence"
    headers.remove("subject")
    headers.remove("subject")
    assert list(headers) == [("From", "<sip:a@b>"), ("Event", "presence")]


def test_prepend_puts_via_on_top_and_others_below_the_vias() -> None:
    headers = Headers([("Via", "SIP/2.0/UDP b"), ("Via", "SIP/2.0/UDP c"), ("To", "<sip:x@y>")])
    headers.prepend("Record-Route", "<sip:r;lr>")
    headers.prepend("Via", "SIP/2.0/UDP a")
    assert headers.keys == ["via", "via", "via", "record-route", "to"]
    fresh = Headers([("To", "<sip:x@y>")])
    fresh.prepend("Via", "SIP/2.0/UDP a")
    assert fresh.keys == ["via", "to"]


def test_writing_forgets_what_was_read() -> None:
    headers = received("Via: SIP/2.0/UDP a, SIP/2.0/UDP b")
    assert [via.host for via in headers.values("Via")] == ["a", "b"]
    assert headers.value("Via").host == "a"
    headers.prepend("Via", Via("UDP", "z"))
    assert [via.host for via in headers.values("Via")] == ["z", "a", "b"]
    assert headers.value("Via").host == "z"


def test_the_first_of_a_list_is_replaced_or_removed_and_the_rest_stays() -> None:
    headers = received("v: SIP/2.0/UDP a, SIP/2.0/UDP b", "Via: SIP/2.0/UDP c")
    headers.replace_first("Via", "SIP/2.0/UDP z")
    assert headers.lines == ["Via: SIP/2.0/UDP z, SIP/2.0/UDP b", "Via: SIP/2.0/UDP c"]
    headers.remove_first("Via")
    assert headers.lines == ["Via: SIP/2.0/UDP b", "Via: SIP/2.0/UDP c"]
    headers.replace_first("v", "SIP/2.0/UDP y")
    headers.remove_first("Via")
    headers.remove_first("Via")
    assert len(headers) == 0
    for change in (lambda: headers.remove_first("Via"), lambda: headers.replace_first("Via", "x")):
        with pytest.raises(KeyError):
            change()


def test_a_line_is_removed_by_its_place() -> None:
    headers = received("v: SIP/2.0/UDP a", "Subject: b", "Via: SIP/2.0/UDP c")
    assert headers.value("Via").host == "a"
    headers.remove_line(0)
    assert headers.lines == ["Subject: b", "Via: SIP/2.0/UDP c"]
    assert headers.value("Via").host == "c"


def test_a_comma_in_what_is_no_list_is_no_border() -> None:
    headers = received("Subject: a, b")
    headers.replace_first("Subject", "c")
    assert headers.lines == ["Subject: c"]


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b"])
def test_no_value_smuggles_in_another_field(value: str) -> None:
    headers = Headers([("Via", "SIP/2.0/UDP a")])
    before = headers.copy()
    for write in (headers.set, headers.append, headers.prepend, headers.replace_first):
        with pytest.raises(ValueError, match="CR, LF or NUL"):
            write("Via", value)
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        Headers([("Subject", value)])
    assert headers == before


def test_an_escaped_nul_may_stand_in_a_quoted_string() -> None:
    headers = Headers([("To", '"\\\0" <sip:a@b>')])
    assert headers.value("To").display_name == "\0"


def test_carry_takes_lines_as_they_stand() -> None:
    source = received("v:SIP/2.0/UDP a", "To: <sip:x@y>", "  ;tag=1", "v:  SIP/2.0/UDP b", "Subject: no")
    headers = Headers([("CSeq", "1 ACK")])
    headers.carry(source, "to", "via")
    assert headers.lines == ["CSeq: 1 ACK", "v:SIP/2.0/UDP a", "To: <sip:x@y>\r\n  ;tag=1", "v:  SIP/2.0/UDP b"]


def test_a_copy_is_independent() -> None:
    headers = Headers([("Subject", "a")])
    copy = headers.copy()
    copy.set("Subject", "b")
    assert headers.text("Subject") == "a"


def test_equality_asks_for_order_keys_and_values() -> None:
    one = Headers([("Via", "SIP/2.0/UDP a"), ("Subject", "b")])
    assert one == received("v:  SIP/2.0/UDP a", "SUBJECT:", " b")
    assert one != Headers([("Subject", "b"), ("Via", "SIP/2.0/UDP a")])
    assert one != Headers([("Via", "SIP/2.0/UDP a"), ("Subject", "c")])
    assert one != "Via"
    with pytest.raises(TypeError):
        hash(one)


def test_repr_names_the_fields() -> None:
    assert repr(received("v: SIP/2.0/UDP a", "Subject: b")) == "<Headers v, Subject>"
