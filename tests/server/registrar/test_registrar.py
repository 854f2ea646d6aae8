"""The registrar: RFC 3261 §10.3 step by step."""

import pytest

from ringback.address import Flow
from ringback.message.message import Request
from ringback.transaction.events import RequestReceived
from tests.server.registering import ALICE, CONTACT, PHONE, House, house, listed

# Step 8: what a 200 says


def test_a_contact_is_bound_and_listed_with_the_interval_granted(strict: House) -> None:
    response = strict.send(f"Contact: {CONTACT};expires=600")
    assert response.status == 200
    assert listed(response) == [f"{CONTACT};expires=600"]
    assert response.headers.text("Date") == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert response.headers.text("To") == f"<{ALICE}>;tag=tag0123456789abc"
    assert strict.contacts() == [f"sip:alice@{PHONE}:5062"]
    assert strict.kept == [True]


def test_every_current_binding_is_listed_with_what_is_left_of_its_interval(free: House) -> None:
    free.send("Contact: <sip:a@192.0.2.2>;q=0.3;expires=100")
    free.now += 40.25
    response = free.send('Contact: "Mr. Watson" <sip:b@192.0.2.3;transport=tcp>;q=0.7;+sip.instance="<urn:uuid:1, 2>";expires=500;audio')
    assert listed(response) == [
        '<sip:b@192.0.2.3;transport=tcp>;q=0.7;+sip.instance="<urn:uuid:1, 2>";audio;expires=500',
        "<sip:a@192.0.2.2>;q=0.3;expires=60",
    ]


def test_without_a_contact_the_bindings_are_told_and_left_alone(strict: House) -> None:
    assert listed(strict.send()) == []
    strict.send(f"Contact: {CONTACT}")
    assert listed(strict.send("Expires: 0", call_id="other")) == [f"{CONTACT};expires=3600"]
    strict.now += 3_600
    assert listed(strict.send()) == []


def test_a_record_route_means_nothing_and_is_never_answered(strict: House) -> None:
    response = strict.send(f"Contact: {CONTACT}", "Record-Route: <sip:proxy.example.net;lr>")
    assert response.status == 200
    assert "Record-Route" not in response.headers
    assert strict.location.lookup(ALICE)[0].path == ""


def test_several_addresses_of_record_are_several(strict: House) -> None:
    strict.send(f"Contact: {CONTACT}")
    strict.send(f"Contact: <sip:bob@{PHONE}>", to="Bob <sip:bob@example.org>;tag=old", uri="sip:example.org")
    assert strict.contacts() == [f"sip:alice@{PHONE}:5062"]
    assert strict.contacts("sip:bob@example.org") == [f"sip:bob@{PHONE}"]


# Steps 1 and 2, §8.2


def test_only_register_is_accepted(strict: House) -> None:
    response = strict.send(method="MESSAGE")
    assert response.status == 405
    assert response.headers.text("Allow") == "REGISTER"


def test_an_ack_that_goes_astray_is_nothing_to_a_registrar(strict: House) -> None:
    request = Request("ACK", "sip:example.com")
    strict.registrar.receive(RequestReceived(request, Flow(strict.endpoint, (PHONE, 5062)), None), strict.now)
    assert strict.answers == []


def test_extensions_required_and_not_understood(strict: House) -> None:
    response = strict.send("Require: path, 100rel", "Require: outbound, x", f"Contact: {CONTACT}")
    assert response.status == 420
    assert response.headers.texts("Unsupported") == ["100rel", "x"]
    assert strict.contacts() == []


def test_a_body_is_understood_by_no_registrar_and_refused_unless_optional(strict: House) -> None:
    fields = ("Content-Type: text/plain", "Content-Encoding: gzip", "Content-Language: tlh")
    response = strict.send(*fields, f"Contact: {CONTACT}", body=b"hello")
    assert response.status == 415
    assert [response.headers.text(name) for name in ("Accept", "Accept-Encoding", "Accept-Language")] == ["", "identity", "en"]
    assert strict.contacts() == []
    required = "Content-Disposition: session;handling=required"
    assert strict.send("Content-Type: text/plain", required, body=b"hello").status == 415
    optional = "Content-Disposition: render;handling=OPTIONAL"
    assert strict.send("Content-Type: text/plain", optional, f"Contact: {CONTACT}", body=b"hello").status == 200


# Step 5: the address-of-record


@pytest.mark.parametrize(
    "to",
    ["<sip:alice@example.net>", "<tel:+4930123456>", "<isbn:2983792873>", "<sip:example.com>", "sip:alice@elsewhere"],
)
def test_an_address_of_record_that_is_not_of_our_domains_is_not_found(strict: House, to: str) -> None:
    assert strict.send(f"Contact: {CONTACT}", to=to).status == 404
    assert len(strict.location) == 0


@pytest.mark.parametrize(
    ("uri", "to"),
    [
        ("sip:192.0.2.100", "<sip:alice@example.com>"),
        ("sip:example.org", "<sip:alice@example.com>"),
        ("sip:example.com", "<sips:%61lice@EXAMPLE.com:5060;user=ip;transport=tcp>"),
        ("sip:example.com", "sip:alice@192.0.2.100"),
        ("sip:example.com", '"Alice <x>" <sip:alice@example.com>'),
        ("sip:example.com", "Alice <sip:alice@example.com>;tag=a1;x=y"),
    ],
)
def test_one_address_of_record_has_many_spellings(strict: House, uri: str, to: str) -> None:
    assert strict.send(f"Contact: {CONTACT}", uri=uri, to=to).status == 200
    assert strict.contacts() == [f"sip:alice@{PHONE}:5062"]


def test_user_names_are_case_sensitive_and_may_hold_any_octet(free: House) -> None:
    free.send("Contact: <sip:1@192.0.2.1>", to="<sip:Alice@example.com>")
    free.send("Contact: <sip:2@192.0.2.1>", to="<sip:null-%00-null@example.com>")
    assert free.contacts() == []
    assert free.contacts("sip:Alice@example.com") == ["sip:1@192.0.2.1"]
    assert free.contacts("sip:null-\0-null@example.com") == ["sip:2@192.0.2.1"]


# Step 6: *


def test_the_star_removes_every_binding(free: House) -> None:
    free.send("Contact: <sip:a@192.0.2.1>, <sip:b@192.0.2.2>")
    response = free.send("Contact: *", "Expires: 0", call_id="another")
    assert response.status == 200
    assert listed(response) == []
    assert free.contacts() == []


@pytest.mark.parametrize(
    "lines",
    [
        ["Contact: *"],
        ["Contact: *", "Expires: 60"],
        ["Contact: *", "Expires: soon"],
        ["Contact: *", f"Contact: {CONTACT}", "Expires: 0"],
        [f"Contact: {CONTACT}, *", "Expires: 0"],
        ["Contact: *, *", "Expires: 0"],
        ["Contact: *;expires=0"],
    ],
)
def test_a_star_that_does_not_stand_alone_with_expires_0_is_invalid(strict: House, lines: list[str]) -> None:
    strict.send(f"Contact: {CONTACT}")
    assert strict.send(*lines).status == 400
    assert strict.contacts() == [f"sip:alice@{PHONE}:5062"]


@pytest.mark.parametrize(("call_id", "cseq", "status"), [("call-1", 8, 200), ("call-1", 7, 500), ("call-1", 6, 500), ("other", 1, 200)])
def test_a_star_of_the_same_call_has_to_be_newer(free: House, call_id: str, cseq: int, status: int) -> None:
    free.send("Contact: <sip:a@192.0.2.2>", call_id="third", cseq=90)
    free.send("Contact: <sip:b@192.0.2.1>", cseq=7)
    assert free.send("Contact: *", "Expires: 0", call_id=call_id, cseq=cseq).status == status
    # All or nothing: where one binding is newer, none goes.
    assert len(free.contacts()) == (0 if status == 200 else 2)


# Step 7: how long


@pytest.mark.parametrize(
    ("contact", "expires", "granted"),
    [
        (";expires=120", "Expires: 600", 120),
        ("", "Expires: 600", 600),
        ("", None, 3_600),
        (";expires=60", None, 60),
        (";expires=99999999", None, 86_400),
        (";expires=4294967295", None, 86_400),
        (";expires=99999999999999999999", None, 3_600),
        (";expires=later", "Expires: 600", 3_600),
        ("", "Expires: Thu, 01 Dec 2040 16:00:00 GMT", 3_600),
    ],
)
def test_the_interval_is_the_contacts_wish_then_the_requests_then_ours(
    strict: House, contact: str, expires: str | None, granted: int
) -> None:
    response = strict.send(f"Contact: {CONTACT}{contact}", *([expires] if expires else []))
    assert listed(response) == [f"{CONTACT};expires={granted}"]
    strict.now += granted - 0.01
    assert len(strict.contacts()) == 1
    strict.now += 0.02
    assert strict.contacts() == []


@pytest.mark.parametrize(
    ("minimum", "wish", "status"),
    [(60, 59, 423), (60, 60, 200), (60, 1, 423), (7_200, 3_599, 423), (7_200, 3_600, 200), (60, 0, 200)],
)
def test_too_brief_an_interval_is_refused_only_below_an_hour_and_the_minimum(minimum: int, wish: int, status: int) -> None:
    here = house(min_expires=minimum, default_expires=7_200)
    response = here.send(f"Contact: <sip:other@{PHONE}>, {CONTACT};expires={wish}")
    assert response.status == status
    assert response.headers.text("Min-Expires") == (str(minimum) if status == 423 else None)
    assert len(here.contacts()) == (0 if status == 423 else 2 if wish else 1)


# Step 7: which binding


def test_a_refresh_replaces_its_binding(strict: House) -> None:
    strict.send(f"Contact: {CONTACT};expires=60;q=0.5")
    (row,) = [binding.row for binding in strict.location.lookup(ALICE)]
    strict.now += 50
    response = strict.send(f"Contact: {CONTACT};expires=90")
    assert listed(response) == [f"{CONTACT};expires=90"]
    assert [binding.row for binding in strict.location.lookup(ALICE)] == [row]


@pytest.mark.parametrize(
    ("bound", "asked", "same"),
    [
        ("sip:%61lice@192.0.2.1;transport=TCP", "sip:alice@192.0.2.1;Transport=tcp", True),
        ("sip:carol@192.0.2.1", "sip:carol@192.0.2.1;newparam=5", True),
        ("sip:carol@192.0.2.1;security=on", "sip:carol@192.0.2.1;security=off", False),
        ("sip:bob@192.0.2.1", "sip:bob@192.0.2.1:5060", False),
        ("sip:bob@192.0.2.1", "sip:bob@192.0.2.1;transport=udp", False),
        ("sip:bob@192.0.2.1", "sip:Bob@192.0.2.1", False),
        ("sip:bob@192.0.2.1", "sips:bob@192.0.2.1", False),
        ("sip:bob@[2001:db8::1]", "sip:bob@[2001:DB8:0::1]", True),
        ("mailto:bob@example.com", "mailto:bob@example.com", True),
        ("mailto:bob@example.com", "mailto:bob@example.org", False),
    ],
)
def test_contacts_are_compared_as_uris(free: House, bound: str, asked: str, same: bool) -> None:
    free.send(f"Contact: <{bound}>")
    free.send(f"Contact: <{asked}>")
    assert free.contacts() == ([asked] if same else [bound, asked])


def test_a_contact_written_alike_comes_before_one_that_is_only_equivalent(free: House) -> None:
    free.send("Contact: <sip:carol@192.0.2.1;security=on>, <sip:carol@192.0.2.1;security=off>, <sip:x@192.0.2.1>;expires=100")
    free.send("Contact: <sip:carol@192.0.2.1;security=off>;expires=0")
    assert free.contacts() == ["sip:carol@192.0.2.1;security=on", "sip:x@192.0.2.1"]


@pytest.mark.parametrize("expires", [0, 120])
@pytest.mark.parametrize(("call_id", "cseq", "status"), [("call-1", 8, 200), ("call-1", 7, 500), ("call-1", 6, 500), ("other", 1, 200)])
def test_the_same_call_has_to_count_up(free: House, expires: int, call_id: str, cseq: int, status: int) -> None:
    free.send("Contact: <sip:a@192.0.2.1>;expires=60", cseq=7)
    # The first Contact alone would succeed; with the second it must not.
    response = free.send(f"Contact: <sip:new@192.0.2.1>, <sip:a@192.0.2.1>;expires={expires}", call_id=call_id, cseq=cseq)
    assert response.status == status
    if status == 500:
        assert free.contacts() == ["sip:a@192.0.2.1"]
        (binding,) = free.location.lookup(ALICE)
        assert (binding.cseq, binding.expires) == (7, 60)
    else:
        assert "sip:new@192.0.2.1" in free.contacts()
        assert ("sip:a@192.0.2.1" in free.contacts()) is (expires > 0)
        assert {(b.call_id, b.cseq) for b in free.location.lookup(ALICE)} == {(call_id, cseq)}


def test_removing_what_is_not_bound_changes_nothing(strict: House) -> None:
    response = strict.send(f"Contact: {CONTACT};expires=0")
    assert response.status == 200
    assert listed(response) == []


def test_a_contact_that_stands_twice_in_one_request_has_its_last_word(strict: House) -> None:
    for _ in range(2):
        response = strict.send(f"Contact: {CONTACT};expires=60, {CONTACT};expires=90")
        assert listed(response) == [f"{CONTACT};expires=90"]
    assert listed(strict.send(f"Contact: {CONTACT};expires=60, {CONTACT};expires=0")) == []


def test_an_expired_binding_is_no_binding(strict: House) -> None:
    strict.send(f"Contact: {CONTACT};expires=60", cseq=100)
    strict.now += 61
    assert strict.send(f"Contact: {CONTACT};expires=60", cseq=5).status == 200
    assert len(strict.location) == 1


def test_a_contact_of_another_medium_is_kept_and_told_but_not_called(free: House) -> None:
    response = free.send("Contact: <sip:bob@192.0.2.1>, <mailto:bob@example.com>;expires=4294967295")
    assert listed(response) == ["<sip:bob@192.0.2.1>;expires=3600", "<mailto:bob@example.com>;expires=86400"]
    assert [binding.contact for binding in free.location.lookup(ALICE)] == ["sip:bob@192.0.2.1"]
