"""The registrar: RFC 3261 §10.3 step by step, and what protects third parties while nobody authenticates."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ringback.address import Endpoint, Flow
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.server.config import RegistrarConfig
from ringback.server.domains import Domains
from ringback.server.location.location import Location
from ringback.server.proxy.routing import Reject
from ringback.server.registrar import Registrar
from ringback.server.store import Store, StoreError
from ringback.transaction.events import RequestReceived

ALICE = "sip:alice@example.com"
PHONE = "192.0.2.1"
CONTACT = f"<sip:alice@{PHONE}:5062>"
WALL = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


class House:
    """A registrar with clocks that stand still, and what it answered, in order."""

    def __init__(
        self, config: RegistrarConfig, store: Store | None = None, domains: Sequence[str] = ("example.com", "example.org")
    ) -> None:
        self.now = 1_000.0
        self.endpoint = Endpoint("UDP", "192.0.2.100", 5060)
        self.domains = Domains(domains, [self.endpoint])
        self.location = Location(store, clock=lambda: self.now, wall=lambda: WALL + self.now - 1_000)
        self.answers: list[Response] = []
        self.kept: list[bool] = []
        self.registrar = Registrar(
            self.location,
            self.domains,
            config,
            respond=self._respond,  # type: ignore[arg-type]
            refuse=self._refuse,  # type: ignore[arg-type]
            token=lambda: "tag0123456789abc",
            wall=lambda: WALL + self.now - 1_000,
        )
        self._count = 0

    def _respond(self, _transaction: object, response: Response, _now: float) -> None:
        self.answers.append(response)
        self.kept.append(True)

    def _refuse(self, _transaction: object, request: Request, reject: Reject) -> None:
        response = response_to(request, reject.status, reject.reason, tag="tag0123456789abc")
        for name, value in reject.headers:
            response.headers.append(name, value)
        self.answers.append(response)
        self.kept.append(False)

    def send(
        self,
        *lines: str,
        to: str = f"<{ALICE}>",
        uri: str = "sip:example.com",
        call_id: str = "call-1",
        cseq: int | None = None,
        source: str = PHONE,
        method: str = "REGISTER",
        body: bytes = b"",
        answers: int = 1,
    ) -> Response:
        """Registers with these further header lines and gives the answer, the last one where none is due yet."""
        self._count += 1
        head = "\r\n".join(
            [
                f"{method} {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP {PHONE}:5062;branch=z9hG4bK{self._count}",
                "From: <sip:alice@example.com>;tag=1",
                f"To: {to}",
                f"Call-ID: {call_id}",
                f"CSeq: {self._count if cseq is None else cseq} {method}",
                "Max-Forwards: 70",
                *lines,
                f"Content-Length: {len(body)}",
                "\r\n",
            ]
        )
        request = parse_datagram(head.encode("utf-8", "surrogateescape") + body)
        assert isinstance(request, Request), request
        flow = Flow(self.endpoint, (source, 5062))
        before = len(self.answers)
        self.registrar.receive(RequestReceived(request, flow, object()), self.now)  # type: ignore[arg-type]
        assert len(self.answers) == before + answers
        return self.answers[-1] if self.answers else Response(100)

    def contacts(self, aor: str = ALICE) -> list[str]:
        return [binding.contact for binding in self.location.registered(aor)]


def house(**options: object) -> House:
    return House(RegistrarConfig(**options))  # type: ignore[arg-type]


@pytest.fixture
def strict() -> House:
    return house()


@pytest.fixture
def free() -> House:
    """Contacts may be anywhere, as they may once somebody authenticates."""
    return house(foreign_contacts=True)


def listed(response: Response) -> list[str]:
    return response.headers.texts("Contact")


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
    response = strict.send("Require: path, gruu", "Require: outbound", f"Contact: {CONTACT}")
    assert response.status == 420
    assert response.headers.texts("Unsupported") == ["path", "gruu", "outbound"]
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


# Malformed


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Contact: sip:alice@192.0.2.1?Route=%3Csip:x%3E", "Malformed Contact"),
        ("Contact: <sip:alice@>", "Malformed Contact: malformed SIP URI"),
        (f"Contact: {CONTACT};q=2", "Malformed Contact: malformed q"),
        (f'Contact: "open {CONTACT}', "Malformed Contact"),
        ("Contact: <sip:alice@192.0.2.1:99999>", "Malformed Contact"),
        ("Content-Disposition: ;;", "Malformed Content-Disposition"),
    ],
)
def test_what_is_malformed_and_needed_is_refused_by_name(strict: House, line: str, reason: str) -> None:
    strict.send(f"Contact: {CONTACT}")
    response = strict.send(line, f"Contact: <sip:b@{PHONE}>", body=b"x" if "Disposition" in line else b"")
    assert response.status == 400
    assert response.reason.startswith(reason)
    assert strict.contacts() == [f"sip:alice@{PHONE}:5062"]


def test_a_malformed_to_is_refused(strict: House) -> None:
    response = strict.send(f"Contact: {CONTACT}", to="<sip:alice@>")
    assert (response.status, response.reason) == (400, "Malformed To: malformed SIP URI")


def test_what_is_malformed_and_not_needed_is_never_noticed(strict: House) -> None:
    assert strict.send(f"Contact: {CONTACT}", "Date: yesterday", "Timestamp: x", "Warning: ?").status == 200


# Limits


@pytest.mark.parametrize(("count", "status"), [(9, 200), (10, 200), (11, 403)])
def test_so_many_contacts_in_one_request(strict: House, count: int, status: int) -> None:
    response = strict.send("Contact: " + ", ".join(f"<sip:{n}@{PHONE}>" for n in range(count)))
    assert response.status == status
    assert len(strict.contacts()) == (count if status == 200 else 0)
    if status == 403:
        assert response.reason == "Too Many Contacts, at Most 10"


@pytest.mark.parametrize(("there", "status"), [(8, 200), (9, 200), (10, 403)])
def test_so_many_bindings_of_one_address_of_record(strict: House, there: int, status: int) -> None:
    for n in range(there):
        strict.send(f"Contact: <sip:{n}@{PHONE}>", call_id=f"call-{n}")
    response = strict.send(f"Contact: <sip:more@{PHONE}>", call_id="more")
    assert response.status == status
    if status == 403:
        assert response.reason == "Too Many Bindings, at Most 10"
    assert len(strict.contacts()) == min(there + 1, 10)
    # One may leave, or be replaced, however many there are.
    assert strict.send(f"Contact: <sip:0@{PHONE}>;expires=0, <sip:late@{PHONE}>", call_id="x").status == 200


@pytest.mark.parametrize(("length", "status"), [(1_023, 200), (1_024, 200), (1_025, 403)])
def test_so_long_a_contact(strict: House, length: int, status: int) -> None:
    uri = f"sip:alice@{PHONE}"
    param = ";x=" + "y" * (length - len(uri) - 3)
    response = strict.send(f"Contact: <{uri}>{param}")
    assert response.status == status
    if status == 403:
        assert response.reason == "Contact Too Long, at Most 1024 Characters"


# Who may bind what, while nobody authenticates


@pytest.mark.parametrize(
    ("contact", "source"),
    [
        ("sip:alice@192.0.2.2:5062", "192.0.2.1"),
        ("sip:alice@127.0.0.1", "192.0.2.1"),
        ("sip:alice@169.254.169.254", "192.0.2.1"),
        ("sip:alice@phone.example.net", "192.0.2.1"),
        ("sip:alice@localhost", "127.0.0.1"),
        ("sip:alice@127.1", "127.0.0.1"),
        ("sip:alice@2130706433", "127.0.0.1"),
        ("sip:alice@0.0.0.0", "127.0.0.1"),
        ("sip:alice@[::]", "::1"),
        ("sip:alice@[2001:db8::2]", "2001:db8::1"),
        ("sip:alice@192.0.2.1;maddr=192.0.2.2", "192.0.2.1"),
        ("sip:alice@192.0.2.2;maddr=192.0.2.1", "192.0.2.1"),
        ("tel:+4930123456", "192.0.2.1"),
        ("mailto:alice@example.com", "192.0.2.1"),
    ],
)
def test_a_contact_elsewhere_than_its_register_is_refused(strict: House, contact: str, source: str) -> None:
    response = strict.send(f"Contact: <{contact}>", source=source)
    assert response.status == 403
    assert f"{source} Where the REGISTER Came From" in response.reason
    assert strict.contacts() == []
    assert strict.kept == [False]
    anywhere = house(foreign_contacts=True)
    assert anywhere.send(f"Contact: <{contact}>", source=source).status == 200


@pytest.mark.parametrize(
    ("contact", "source"),
    [
        ("sip:alice@192.0.2.1:9", "192.0.2.1"),
        ("sip:192.0.2.1;transport=tcp", "192.0.2.1"),
        ("sip:alice@192.0.2.1;maddr=192.0.2.1", "192.0.2.1"),
        ("sips:alice@[2001:DB8:0:0::1]:5070", "2001:db8::1"),
        ("sip:alice@192.0.2.1", "::ffff:192.0.2.1"),
        ("sip:alice@[fe80::1]", "fe80::1%eth0"),
    ],
)
def test_a_contact_where_its_register_came_from_is_bound_on_any_port(strict: House, contact: str, source: str) -> None:
    assert strict.send(f"Contact: <{contact}>", source=source).status == 200


@pytest.mark.parametrize("contact", ["sip:alice@192.0.2.100", "sip:alice@192.0.2.100:5060", "sip:192.0.2.100;maddr=192.0.2.100"])
def test_a_contact_that_is_this_server_is_refused(strict: House, contact: str) -> None:
    response = strict.send(f"Contact: <{contact}>", source="192.0.2.100")
    assert (response.status, response.reason) == (403, "Contact Is This Server Itself")
    assert strict.send("Contact: <sip:alice@192.0.2.100:5062>", source="192.0.2.100").status == 200


def test_a_refresh_from_elsewhere_is_looked_at_again(strict: House) -> None:
    strict.send(f"Contact: {CONTACT}")
    assert strict.send(f"Contact: {CONTACT}", source="192.0.2.66", call_id="stranger").status == 403
    assert strict.send(f"Contact: {CONTACT}").status == 200


# Stored before answered


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr("ringback.server.store.BUSY_TIMEOUT", 0.05)
    store = Store(tmp_path)
    yield store
    store.close()


def test_a_200_says_that_the_binding_is_stored(store: Store) -> None:
    here = House(RegistrarConfig(), store)
    assert here.send(f"Contact: {CONTACT}").status == 200
    connection = store.connect()
    assert connection.execute("SELECT aor, contact, cseq FROM binding").fetchall() == [(ALICE, f"sip:alice@{PHONE}:5062", 1)]
    connection.close()
    here.location.close()


def test_while_the_store_is_locked_a_register_is_refused_for_a_while_and_changes_nothing(store: Store) -> None:
    here = House(RegistrarConfig(), store)
    here.send(f"Contact: {CONTACT}")
    other = store.connect()
    other.execute("BEGIN IMMEDIATE")
    for lines in ([f"Contact: <sip:new@{PHONE}>"], ["Contact: *", "Expires: 0"]):
        response = here.send(*lines)
        assert response.status == 503
        after = response.headers.value("Retry-After").seconds
        assert 3 <= after <= 5
        assert here.contacts() == [f"sip:alice@{PHONE}:5062"]
    # Asking needs no store.
    assert here.send().status == 200
    other.execute("ROLLBACK")
    other.close()
    assert here.send(f"Contact: <sip:new@{PHONE}>").status == 200
    here.location.close()


def test_a_store_that_is_broken_is_500(store: Store) -> None:
    here = House(RegistrarConfig(), store)
    other = store.connect()
    other.execute("DROP TABLE binding")
    other.close()
    response = here.send(f"Contact: {CONTACT}")
    assert response.status == 500
    assert here.contacts() == []
    here.location.close()


def test_requests_are_ordered_by_arrival_and_seen_only_when_committed(store: Store) -> None:
    async def run() -> None:
        here = House(RegistrarConfig(), store)
        here.location.close()
        location = Location(store, loop=asyncio.get_running_loop())
        here.registrar._location = here.location = location
        ended = asyncio.Event()
        location.batch_ended = ended.set
        here.now = location.clock()
        for cseq, expires, answers in ((2, 60, 0), (1, 90, 1), (3, 120, 0)):
            here.send(f"Contact: {CONTACT};expires={expires}", cseq=cseq, answers=answers)
        # The one that is late is late already, though what it is later than is not yet committed; so is a question about both.
        here.send(answers=0)
        assert [answer.status for answer in here.answers] == [500]
        assert here.contacts() == []
        await asyncio.wait_for(ended.wait(), 5)
        assert [answer.status for answer in here.answers] == [500, 200, 200, 200]
        assert [listed(answer) for answer in here.answers[1:]] == [[f"{CONTACT};expires={n}"] for n in (60, 120, 120)]
        location.close()

    asyncio.run(run())


def test_a_fault_that_is_nobodys_plan_is_still_an_answer() -> None:
    here = house()

    class Broken(Location):
        def update(self, aor, bindings, committed):  # type: ignore[no-untyped-def]
            committed(StoreError("gone"))

    here.registrar._location = Broken()
    assert here.send(f"Contact: {CONTACT}").status == 500


# Never


def test_no_answer_is_a_6xx() -> None:
    import ast

    import ringback.server.registrar as package

    numbers = {
        node.value
        for path in Path(package.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, int)
    }
    assert {200, 400, 403, 404, 405, 415, 420, 423, 500, 503} <= numbers
    assert not [number for number in numbers if 600 <= number <= 699]
