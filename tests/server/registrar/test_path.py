"""The registrar and proxies that stand between it and a phone: Path (RFC 3327) and Service-Route (RFC 3608)."""

import pytest

from ringback.server.config import ConfigError, RegistrarConfig
from ringback.server.registrar.path import MAX_LENGTH, MAX_VALUES
from tests.server.registering import ALICE, PHONE, House, house, listed

EDGE = "192.0.2.7"
CONTACT = "<sip:alice@10.0.0.5:5062>"
VIA = (EDGE,)


def register(house: House, *lines: str, contact: str = CONTACT, source: str = EDGE) -> int:
    return house.send(f"Contact: {contact}", *lines, source=source, via=VIA).status


def test_the_path_is_stored_in_its_order_and_repeated(strict: House) -> None:
    path = [f"Path: <sip:{EDGE};lr>, <sip:b@192.0.2.8;lr>;x=1", "Path: <sip:p3;lr>"]
    response = strict.send("Supported: path", *path, f"Contact: {CONTACT}", source=EDGE, via=VIA)
    assert response.status == 200
    values = [f"<sip:{EDGE};lr>", "<sip:b@192.0.2.8;lr>;x=1", "<sip:p3;lr>"]
    assert response.headers.texts("Path") == values
    (binding,) = strict.location.lookup(ALICE)
    assert binding.path == ", ".join(values)
    assert listed(response) == [f"{CONTACT};expires=3600"]


def test_a_refresh_brings_the_path_as_it_is_now(strict: House) -> None:
    register(strict, "Supported: path", f"Path: <sip:{EDGE};lr>")
    register(strict, "Supported: path", f"Path: <sip:x@{EDGE};lr>")
    assert [binding.path for binding in strict.location.lookup(ALICE)] == [f"<sip:x@{EDGE};lr>"]
    assert strict.send(f"Contact: {CONTACT}", source="10.0.0.5").status == 200
    assert [binding.path for binding in strict.location.lookup(ALICE)] == [""]


def test_a_path_that_the_phone_knows_nothing_of_is_a_bad_extension(strict: House) -> None:
    response = strict.send(f"Path: <sip:{EDGE};lr>", f"Contact: {CONTACT}", source=EDGE, via=VIA)
    assert (response.status, response.headers.text("Unsupported")) == (420, "path")
    assert strict.contacts() == []
    assert register(strict, f"Path: <sip:{EDGE};lr>", "Require: Path") == 200


def test_an_operator_may_take_it_for_such_phones_too() -> None:
    lenient = house(path_unasked=True)
    assert register(lenient, f"Path: <sip:{EDGE};lr>") == 200
    assert [binding.path for binding in lenient.location.lookup(ALICE)] == [f"<sip:{EDGE};lr>"]


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("<mailto:a@example.com>", 400, "Malformed Path: not a SIP URI"),
        ("sip:192.0.2.7;lr", 400, "Malformed Path"),
        ("<sip:@>", 400, "Malformed Path"),
        ("<sip:192.0.2.100;lr>", 403, "Path Leads Back to This Server"),
        ("<sip:example.com;lr>", 403, "Path Leads Back to This Server"),
        ("<sip:192.0.2.7;maddr=192.0.2.100;lr>", 403, "Path Leads Back to This Server"),
        ("<sip:192.0.2.9;lr>", 403, "Path Does Not Begin at 192.0.2.7 Where the REGISTER Came From"),
        ("<sip:edge.example.net;lr>", 403, "Path Does Not Begin at 192.0.2.7"),
        ("<sip:192.0.2.7;maddr=192.0.2.9;lr>", 403, "Path Does Not Begin at 192.0.2.7"),
        (", ".join(["<sip:192.0.2.7;lr>"] * (MAX_VALUES + 1)), 403, f"Path Too Long, at Most {MAX_VALUES} Values"),
        (f"<sip:192.0.2.7;lr>;x={'y' * (MAX_LENGTH - 22)}", 403, f"Path Too Long, at Most {MAX_LENGTH} Characters"),
    ],
)
def test_a_path_that_cannot_be_is_refused(strict: House, path: str, status: int, reason: str) -> None:
    response = strict.send("Supported: path", f"Path: {path}", f"Contact: {CONTACT}", source=EDGE, via=VIA)
    assert (response.status, response.reason[: len(reason)]) == (status, reason)
    assert strict.contacts() == []


@pytest.mark.parametrize("path", ["<sip:edge.example.net;lr>", "<sip:192.0.2.9;lr>"])
def test_proxies_may_be_anywhere_once_contacts_may(free: House, path: str) -> None:
    assert register(free, "Supported: path", f"Path: {path}") == 200


def test_this_server_may_stand_further_down(strict: House) -> None:
    """An edge proxy and its registrar may be one host, with another proxy between the two."""
    assert register(strict, "Supported: path", f"Path: <sip:{EDGE};lr>, <sip:token@192.0.2.100;lr;ob>") == 200


def test_as_long_as_may_be(strict: House) -> None:
    assert register(strict, "Supported: path", "Path: " + ", ".join([f"<sip:{EDGE};lr>"] * MAX_VALUES)) == 200
    assert register(strict, "Supported: path", f"Path: <sip:192.0.2.7;lr>;x={'y' * (MAX_LENGTH - 23)}") == 200


def test_a_plain_contact_is_no_way_around_its_path(strict: House) -> None:
    assert register(strict, f"Path: <sip:{EDGE};lr>", contact=f"<sip:alice@{EDGE}>") == 420


def test_no_path_leads_back_to_its_own_address_of_record(strict: House) -> None:
    """The proxy would send each call for it here again."""
    assert register(strict, "Supported: path", f"Path: <sip:{EDGE};lr>", contact=f"<{ALICE}>") == 403
    assert register(strict, "Supported: path", f"Path: <sip:{EDGE};lr>", contact="<tel:+1>") == 403
    assert house(foreign_contacts=True).send(f"Contact: <{ALICE}>").status == 403
    # Another host of that name, or another user, is for the proxy to know.
    for contact in (f"<{ALICE}:5070>", "<sip:bob@example.com>"):
        assert register(strict, "Supported: path", f"Path: <sip:{EDGE};lr>", contact=contact) == 200


# Service-Route (RFC 3608)


def test_the_service_route_is_told_with_every_200() -> None:
    serving = house(service_route=["sip:p1.example.com;lr", "sip:p2.example.com;lr"])
    for lines in ([f"Contact: <sip:alice@{PHONE}>"], []):
        response = serving.send(*lines)
        assert response.headers.texts("Service-Route") == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]
    assert "Service-Route" not in serving.send("Contact: <sip:b@192.0.2.3>").headers


def test_without_one_there_is_none(strict: House) -> None:
    assert "Service-Route" not in strict.send().headers


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("p1.example.com", "registrar.service_route[1]: 'p1.example.com' is no SIP URI"),
        ("sip:p1.example.com", "registrar.service_route[1]: 'sip:p1.example.com' must end in ;lr"),
    ],
)
def test_a_service_route_that_is_no_route_is_told_to_the_operator(uri: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RegistrarConfig(service_route=["sip:p0.example.com;lr", uri])
    assert str(caught.value).startswith(fault)


def test_the_service_route_is_the_configurations_of_the_moment(strict: House) -> None:
    strict.registrar.configure(RegistrarConfig(service_route=["sip:p1.example.com;lr"]))
    assert strict.send().headers.texts("Service-Route") == ["<sip:p1.example.com;lr>"]
    strict.registrar.configure(RegistrarConfig())
    assert "Service-Route" not in strict.send().headers
