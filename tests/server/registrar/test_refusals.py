"""What the registrar refuses: malformed requests, too many or too long, contacts elsewhere; and what it says while its store fails."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.server.config import RegistrarConfig
from ringback.server.location.location import Location
from ringback.server.store import Store, StoreError
from tests.server.registering import ALICE, CONTACT, PHONE, House, house, listed

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
