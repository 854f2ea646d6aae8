"""What the registrar says of GRUUs, and when they end (RFC 5627 §5.1 to §5.3)."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import unquote
from ringback.message.message import Response
from ringback.server.config import RegistrarConfig
from ringback.server.location.binding import Binding
from ringback.server.store import Store
from tests.server.registering import ALICE, PHONE, House

ONE, TWO = "urn:uuid:00000000-0000-1000-8000-000000000001", "urn:uuid:00000000-0000-1000-8000-000000000002"
GRUU = "Supported: gruu, outbound, path"


def contact(instance: str = ONE, *, port: int = 5062, more: str = "") -> str:
    return f'Contact: <sip:alice@{PHONE}:{port}>;+sip.instance="<{instance}>"{more}'


def gruus(response: Response) -> list[tuple[str | None, str | None]]:
    """The public and the temporary GRUU of each Contact."""
    assert response.status == 200
    found = []
    for text in response.headers.texts("Contact"):
        params = NameAddr.parse(text).params
        found.append(tuple(None if value is None else unquote(value) for value in (params.get("pub-gruu"), params.get("temp-gruu"))))
    return found  # type: ignore[return-value]


def temporary(response: Response, index: int = 0) -> str:
    gruu = gruus(response)[index][1]
    assert gruu is not None
    return gruu


def led_to(house: House, gruu: str) -> Sequence[Binding] | None:
    return house.gruus.bound(house.domains.place(gruu), house.location.lookup)


def test_who_says_gruu_and_which_phone_it_is_gets_both(strict: House) -> None:
    response = strict.send(GRUU, contact())
    ((public, temporary),) = gruus(response)
    assert public == f"{ALICE};gr={ONE}"
    assert temporary is not None
    assert list(led_to(strict, public) or ()) == list(led_to(strict, temporary) or ()) == list(strict.location.lookup(ALICE))
    # The option tag stays out of the answer (§5.2).
    assert "Require" not in response.headers
    assert "Supported" not in response.headers


def test_who_does_not_say_gruu_or_no_instance_gets_none(strict: House) -> None:
    assert gruus(strict.send("Supported: path", contact())) == [(None, None)]
    assert gruus(strict.send(contact())) == [(None, None)]
    assert gruus(strict.send(GRUU, "Contact: *", "Expires: 0")) == []
    assert gruus(strict.send(GRUU, f"Contact: <sip:alice@{PHONE}:5062>", call_id="b")) == [(None, None)]


def test_it_may_be_required(strict: House) -> None:
    assert gruus(strict.send("Require: gruu", contact()))[0][0] == f"{ALICE};gr={ONE}"


def test_what_a_phone_says_its_gruus_were_is_not_heard(strict: House) -> None:
    said = ';pub-gruu="sip:eve@example.com;gr=1";temp-gruu="sip:eve@example.com;gr"'
    ((public, _),) = gruus(strict.send(GRUU, contact(more=said)))
    assert public == f"{ALICE};gr={ONE}"
    assert "gruu" not in strict.location.lookup(ALICE)[0].params


def test_each_answer_brings_a_new_temporary_one_and_the_old_ones_last(strict: House) -> None:
    given = [temporary(strict.send(GRUU, contact())) for _ in range(3)]
    assert len(set(given)) == 3
    assert all(led_to(strict, gruu) for gruu in given)
    # A question is answered in the same way.
    given.append(temporary(strict.send(GRUU)))
    assert all(led_to(strict, gruu) for gruu in given)


def test_a_new_call_id_ends_all_that_were_before(strict: House) -> None:
    old = temporary(strict.send(GRUU, contact(), call_id="a"))
    public, new = gruus(strict.send(GRUU, contact(), call_id="b"))[0]
    assert led_to(strict, old) is None
    assert new is not None
    assert public is not None
    assert led_to(strict, new)
    assert led_to(strict, public)


def test_another_phone_of_the_same_user_changes_nothing(strict: House) -> None:
    first = temporary(strict.send(GRUU, contact(), call_id="a"))
    both = strict.send(GRUU, contact(TWO, port=5064), call_id="b")
    assert [pair[0] for pair in gruus(both)] == [f"{ALICE};gr={ONE}", f"{ALICE};gr={TWO}"]
    assert [b.instance for b in led_to(strict, first) or ()] == [ONE]
    assert [b.instance for b in led_to(strict, temporary(both, 1)) or ()] == [TWO]


def test_the_flows_of_one_phone_are_one_and_each_has_a_call_id(strict: House) -> None:
    """RFC 5626 §4.2.1 gives each flow a Call-ID of its own; a new one for one of them ends all temporary GRUUs (RFC 5627 §5.1)."""
    first = temporary(strict.send(GRUU, contact(more=";reg-id=1"), call_id="a"))
    second = temporary(strict.send(GRUU, contact(more=";reg-id=2"), call_id="b"))
    for gruu in (first, second):
        assert [b.reg_id for b in led_to(strict, gruu) or ()] == [1, 2]
    strict.send(GRUU, contact(more=";reg-id=1;expires=0"), call_id="a")
    assert [b.reg_id for b in led_to(strict, first) or ()] == [2]
    strict.send(GRUU, contact(more=";reg-id=1"), call_id="a")
    assert led_to(strict, first)
    strict.send(GRUU, contact(more=";reg-id=2"), call_id="c")
    assert led_to(strict, first) is led_to(strict, second) is None


@pytest.mark.parametrize("end", ["deregistered", "all deregistered", "expired", "lost"])
def test_with_the_last_binding_the_temporary_ones_end_for_good(strict: House, end: str) -> None:
    response = strict.send(GRUU, contact(more=";reg-id=1"), "Expires: 60")
    (public, old), *_ = gruus(response)
    assert public is not None
    assert old is not None
    if end == "deregistered":
        strict.send(GRUU, contact(more=";reg-id=1;expires=0"))
    elif end == "all deregistered":
        strict.send(GRUU, "Contact: *", "Expires: 0")
    elif end == "expired":
        strict.now += 61
    else:
        strict.location.flow_lost(strict.location.lookup(ALICE)[0].flow)
    assert led_to(strict, old) is None
    assert list(led_to(strict, public) or ()) == []
    strict.send(GRUU, contact(more=";reg-id=1"))
    assert led_to(strict, old) is None
    assert led_to(strict, public)


def test_they_outlive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path)
    house = House(RegistrarConfig(), store)
    given = temporary(house.send(GRUU, contact()))
    house.location.close()
    again = House(RegistrarConfig(), store)
    assert led_to(again, given)
    assert led_to(again, temporary(again.send(GRUU, contact(), cseq=9)))
    assert led_to(again, given)
    again.location.close()
    store.close()


@pytest.mark.parametrize("gruu", ["aor", "public", "temporary"])
def test_a_contact_that_leads_back_to_its_own_address_of_record_is_refused(free: House, gruu: str) -> None:
    public, temporary = gruus(free.send(GRUU, contact()))[0]
    uri = {"aor": ALICE, "public": public, "temporary": temporary}[gruu]
    response = free.send(GRUU, f'Contact: <{uri}>;+sip.instance="<{TWO}>"')
    assert (response.status, response.reason) == (403, "Contact Is the Address-of-Record Itself")
    # Another user's is a contact like any other.
    assert free.send(GRUU, f'Contact: <{uri}>;+sip.instance="<{TWO}>"', to="<sip:bob@example.com>").status == 200


def test_a_contact_with_an_instance_is_a_sip_uri(free: House) -> None:
    assert free.send(GRUU, f'Contact: <tel:+1>;+sip.instance="<{TWO}>"').status == 403
    assert free.send(GRUU, "Contact: <tel:+1>").status == 200


@pytest.mark.parametrize(("port", "status"), [(":5062", 200), ("", 403), (":5060", 403)])
def test_a_phone_beside_its_server_is_not_its_address_of_record(port: str, status: int) -> None:
    """Where a domain is the server's address, only the port tells the two apart."""
    alone = House(RegistrarConfig(foreign_contacts=True), domains=())
    aor = "sip:alice@192.0.2.100"
    contact = f'Contact: <sip:alice@192.0.2.100{port}>;+sip.instance="<{ONE}>"'
    response = alone.send(GRUU, contact, to=f"<{aor}:5060>", uri="sip:192.0.2.100", source="192.0.2.100")
    assert response.status == status
    named = House(RegistrarConfig(foreign_contacts=True), domains=())
    assert named.send(GRUU, f'Contact: <{ALICE}>;+sip.instance="<{ONE}>"').status == 403
