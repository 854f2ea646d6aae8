"""Registrations of flows: instance and reg-id (RFC 5626 §6)."""

import pytest

from ringback.message.message import Response
from ringback.server.location.binding import Binding
from tests.server.registering import ALICE, PHONE, House, house, listed

EDGE = "192.0.2.7"
URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
INSTANCE = f'+sip.instance="<{URN}>"'
OUTBOUND = "Supported: path, outbound"
PATH = f"Path: <sip:token@{EDGE};lr;ob>"


def contact(reg_id: object = 1, *, host: str = "10.0.0.5", instance: str = INSTANCE, expires: int | None = None) -> str:
    lasts = "" if expires is None else f";expires={expires}"
    return f"Contact: <sip:alice@{host};ob>;reg-id={reg_id};{instance}{lasts}"


def bound(house: House) -> list[Binding]:
    return sorted(house.location.registered(ALICE), key=lambda binding: binding.row)


def test_a_phone_that_speaks_to_us_directly_is_bound_to_its_flow(strict: House) -> None:
    """Its Contact may be an address that nobody reaches: requests go down the flow."""
    response = strict.send(OUTBOUND, contact())
    assert response.status == 200
    assert response.headers.text("Require") == "outbound"
    assert listed(response) == [f"<sip:alice@10.0.0.5;ob>;reg-id=1;{INSTANCE};expires=3600"]
    (binding,) = bound(strict)
    assert (binding.instance, binding.reg_id, binding.path) == (URN, 1, "")
    flow = strict.flows.named(binding.flow)
    assert flow is not None
    assert (flow.host, flow.port) == (PHONE, 5062)


def test_instance_and_reg_id_say_which_binding_it_is_and_the_contact_does_not(strict: House) -> None:
    strict.send(OUTBOUND, contact(1), call_id="a")
    strict.send(OUTBOUND, contact(2), call_id="b")
    strict.send(OUTBOUND, contact(1, instance='+sip.instance="<urn:uuid:2>"'), call_id="c")
    assert [(b.reg_id, b.contact) for b in bound(strict)] == [(n, "sip:alice@10.0.0.5;ob") for n in (1, 2, 1)]
    strict.send(OUTBOUND, contact(1, host="10.9.9.9", instance=INSTANCE.replace("f81d4fae", "F81D4FAE")), call_id="a", source="192.0.2.2")
    first, second, third = bound(strict)
    assert (first.contact, first.instance, first.reg_id) == ("sip:alice@10.9.9.9;ob", URN, 1)
    assert first.flow != second.flow == third.flow
    strict.send(OUTBOUND, contact(2, expires=0), call_id="b")
    assert [binding.row for binding in bound(strict)] == [first.row, third.row]


def test_a_lost_flow_takes_its_bindings_along(strict: House) -> None:
    strict.send(OUTBOUND, contact(1))
    strict.send(OUTBOUND, contact(2), source="192.0.2.2")
    strict.location.flow_lost(bound(strict)[0].flow)
    assert [binding.reg_id for binding in bound(strict)] == [2]


def test_through_an_edge_proxy_the_path_is_the_way(strict: House) -> None:
    response = strict.send(OUTBOUND, PATH, contact(), source=EDGE, via=[EDGE])
    assert response.headers.text("Require") == "outbound"
    assert response.headers.texts("Path") == [f"<sip:token@{EDGE};lr;ob>"]
    (binding,) = bound(strict)
    assert (binding.path, binding.flow, binding.reg_id) == (f"<sip:token@{EDGE};lr;ob>", "", 1)


def test_the_first_hop_is_whose_path_stands_last(strict: House) -> None:
    path = f"Path: <sip:{EDGE};lr>, <sip:token@192.0.2.8;lr;ob>"
    assert strict.send(OUTBOUND, path, contact(), source=EDGE, via=[EDGE, "192.0.2.8"]).status == 200
    path = f"Path: <sip:{EDGE};lr;ob>, <sip:192.0.2.8;lr>"
    assert strict.send(OUTBOUND, path, contact(2), source=EDGE, via=[EDGE, "192.0.2.8"]).status == 439
    assert [binding.reg_id for binding in bound(strict)] == [1]


@pytest.mark.parametrize("path", [[], [f"Path: <sip:{EDGE};lr>"]])
def test_a_first_hop_that_knows_nothing_of_outbound(free: House, path: list[str]) -> None:
    response = free.send(OUTBOUND, *path, contact(), source=EDGE, via=[EDGE])
    assert (response.status, response.reason) == (439, "First Hop Lacks Outbound Support")
    assert bound(free) == []
    # A phone that does not ask for it is bound by its Contact, and its reg-id means nothing.
    response = free.send("Supported: path", *path, contact(), source=EDGE, via=[EDGE])
    assert response.status == 200
    assert "Require" not in response.headers
    assert [(b.reg_id, b.instance, b.flow) for b in bound(free)] == [(0, URN, "")]


def test_a_reg_id_without_an_instance_means_nothing(strict: House) -> None:
    response = strict.send(OUTBOUND, f"Contact: <sip:alice@{PHONE}:5062>;reg-id=1")
    assert response.status == 200
    assert "Require" not in response.headers
    assert [(b.reg_id, b.flow) for b in bound(strict)] == [(0, "")]


def test_an_instance_without_a_reg_id_is_bound_by_its_contact(strict: House) -> None:
    for _ in range(2):
        response = strict.send(OUTBOUND, f"Contact: <sip:alice@{PHONE}:5062>;{INSTANCE}")
        assert "Require" not in response.headers
    assert [(b.reg_id, b.instance, b.flow) for b in bound(strict)] == [(0, URN, "")]


def test_who_does_not_say_outbound_is_not_told_of_it(strict: House) -> None:
    response = strict.send(contact())
    assert response.status == 200
    assert "Require" not in response.headers
    assert [b.reg_id for b in bound(strict)] == [1]


def test_who_requires_it_is_understood(strict: House) -> None:
    assert strict.send("Require: outbound", contact()).headers.text("Require") == "outbound"


@pytest.mark.parametrize(("other", "status"), [("", 400), (";expires=0", 200)])
def test_one_flow_is_registered_at_a_time(strict: House, other: str, status: int) -> None:
    strict.send(f"Contact: <sip:old@{PHONE}>", call_id="old")
    response = strict.send(OUTBOUND, f"{contact()}, <sip:old@{PHONE}>{other}", call_id="new")
    assert response.status == status
    assert [binding.reg_id for binding in bound(strict)] == ([0] if status == 400 else [1])


def test_the_lifetime_of_the_request_counts_as_well(strict: House) -> None:
    strict.send(OUTBOUND, contact(1))
    assert strict.send(OUTBOUND, "Expires: 0", f"{contact(1)}, <sip:x@{PHONE}>").status == 200
    assert bound(strict) == []


@pytest.mark.parametrize("reg_id", ["0", "x", "2147483648", '"1"'])
def test_a_reg_id_that_is_none(strict: House, reg_id: str) -> None:
    response = strict.send(OUTBOUND, contact(reg_id))
    assert response.status == 400
    assert response.reason.startswith("Malformed Contact")


@pytest.mark.parametrize("instance", ["+sip.instance", '+sip.instance="urn:uuid:1"', "+sip.instance=x"])
def test_an_instance_that_is_none_is_no_instance(free: House, instance: str) -> None:
    assert free.send(OUTBOUND, contact(instance=instance)).status == 200
    assert [(b.instance, b.reg_id) for b in bound(free)] == [("", 0)]


@pytest.mark.parametrize(("other", "is_same"), [("URN:Example:a", True), ("urn:example:A", False), ("x", False)])
def test_other_urns_are_compared_by_their_letters(strict: House, other: str, is_same: bool) -> None:
    strict.send(OUTBOUND, contact(1, instance='+sip.instance="<urn:example:a>"'))
    strict.send(OUTBOUND, contact(1, instance=f'+sip.instance="<{other}>"'))
    assert len(bound(strict)) == (1 if is_same else 2)


def test_others_of_the_same_user_are_registered_as_ever(strict: House) -> None:
    strict.send(OUTBOUND, contact(), call_id="a")
    strict.send(f"Contact: <sip:alice@{PHONE}:5062>", call_id="b")
    # The same Contact without a flow is another binding.
    free = house(foreign_contacts=True)
    free.send(OUTBOUND, contact(), call_id="a")
    free.send("Contact: <sip:alice@10.0.0.5;ob>", call_id="b")
    assert [b.reg_id for b in bound(strict)] == [b.reg_id for b in bound(free)] == [1, 0]
    assert strict.send("Contact: *", "Expires: 0").status == 200
    assert bound(strict) == []


def test_an_old_refresh_does_not_undo_a_newer_one(strict: House) -> None:
    strict.send(OUTBOUND, contact(), cseq=5)
    response: Response = strict.send(OUTBOUND, contact(host="10.0.0.6"), cseq=4)
    assert response.status == 500
    assert [b.contact for b in bound(strict)] == ["sip:alice@10.0.0.5;ob"]


def test_a_contact_that_is_no_sip_uri_has_no_flow(strict: House) -> None:
    assert strict.send(OUTBOUND, f"Contact: <tel:+1>;reg-id=1;{INSTANCE}").status == 403


def test_the_address_of_record_itself_is_no_contact(strict: House) -> None:
    response = strict.send(OUTBOUND, f"Contact: <{ALICE}>;reg-id=1;{INSTANCE}")
    assert (response.status, response.reason) == (403, "Contact Is the Address-of-Record Itself")


# RFC 6223


@pytest.mark.parametrize(
    ("params", "expected"),
    [(";keep", ";keep=30"), (";rport;keep;x=1", ";rport;keep=30;x=1"), ("", ""), (";keep=5", ";keep=5"), (";keeper", ";keeper")],
)
def test_who_offers_signs_of_life_is_told_how_often(strict: House, params: str, expected: str) -> None:
    via = f"SIP/2.0/UDP {PHONE}:5062;branch=z9hG4bKkeep"
    response = strict.send(f"Contact: <sip:alice@{PHONE}:5062>", top_via=via + params)
    assert response.headers.texts("Via")[0] == via + expected


def test_one_that_is_refused_is_promised_nothing(strict: House) -> None:
    via = f"SIP/2.0/UDP {PHONE}:5062;branch=z9hG4bKkeep;keep"
    assert strict.send("Contact: <sip:alice@192.0.2.77>", top_via=via).headers.texts("Via")[0] == via
