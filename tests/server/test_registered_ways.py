"""Calls to phones that are reached in other ways than at their Contact: by Path, down their flow, by GRUU."""

from pathlib import Path

import pytest

from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import unquote
from ringback.message.message import Request, Response
from ringback.server.config import DomainConfig
from ringback.server.location.binding import Binding
from ringback.server.location.location import Location
from ringback.server.store import Store
from ringback.server.targets.call_forwarding import Forwarding
from tests.server.party import DOMAIN, SERVER, Dialog, House, Party, proxy, simulated
from tests.server.proving import guarded, prove, registered

HIDDEN = "10.0.0.5"
ONE, TWO = "urn:uuid:00000000-0000-1000-8000-000000000001", "urn:uuid:00000000-0000-1000-8000-000000000002"


async def register(
    phone: Party,
    *,
    user: str = "bob",
    instance: str = ONE,
    reg_id: int | None = 1,
    call_id: str | None = None,
    transport: str = "UDP",
    features: str = "",
) -> Response:
    """Registers a phone whose Contact nobody reaches, down its flow."""
    number = "" if reg_id is None else f";reg-id={reg_id}"
    host = HIDDEN if reg_id else phone.host
    request = phone.request(
        "REGISTER",
        f"sip:{DOMAIN}",
        to=f"<sip:{user}@{DOMAIN}>",
        contact=f'<sip:{user}@{host}:{phone.port};ob>{number};+sip.instance="<{instance}>"{features}',
        extra="Supported: path, outbound, gruu",
        call_id=call_id,
        transport=transport,
    )
    phone.send(request, transport=transport)
    response: Response = await phone.hears("200 REGISTER")
    return response


def gruus(response: Response, instance: str = ONE) -> tuple[str, str]:
    """The public and the temporary GRUU that a phone was told."""
    for text in response.headers.texts("Contact"):
        params = NameAddr.parse(text).params
        if instance in str(params["+sip.instance"]):
            return unquote(str(params["pub-gruu"])), unquote(str(params["temp-gruu"]))
    raise AssertionError("no such instance")


async def answered(callee: Party, caller: Party, *, keeps_state: bool = True) -> Request:
    """The INVITE that reaches a callee, who declines."""
    invite: Request = await callee.hears("INVITE")
    callee.reply(invite, 603)
    if keeps_state:
        await callee.hears("ACK")
        await caller.hears("100 INVITE")
    await caller.hears("603 INVITE")
    return invite


@simulated
async def test_a_phone_is_called_down_the_connection_it_registered_over() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob")
        assert (await register(bob, transport="TCP")).headers.text("Require") == "outbound"
        alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        invite = await answered(bob, alice)
        assert invite.uri_text == f"sip:bob@{HIDDEN}:5060;ob"
        assert invite.via.transport == "TCP"


@simulated
async def test_a14_with_its_connection_a_phone_is_gone_and_with_a_new_one_it_is_back() -> None:
    async with House() as house:
        alice, bob, again = await house.party("alice"), await house.party("bob"), await house.party("bob")
        await register(bob, transport="TCP", call_id="a")
        await bob.transports.close()
        await alice.hears_nothing()
        alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        await alice.hears("404 INVITE")
        assert len(house.server.location) == 0
        await register(again, transport="TCP", call_id="b")
        alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        await answered(again, alice)


@simulated
async def test_connections_do_not_outlive_a_restart_and_what_was_registered_over_them_goes(tmp_path: Path) -> None:
    aor = f"sip:bob@{DOMAIN}"
    store = Store(tmp_path)
    before = Location(store)
    flows = [f"udp-{SERVER}-5060-192.0.2.7-5060", "tcp-7-0a1b2c3d", "udp-192.0.2.101-5060-192.0.2.7-5060"]
    bindings = [
        Binding(row, aor, f"sip:bob@{HIDDEN}", "", 1.0, before.clock() + 9_999, 9_999, "c", 1, flow=flow, instance=ONE, reg_id=row)
        for row, flow in enumerate(flows, 1)
    ]
    before.update(aor, bindings, lambda error: None)
    before.close()
    store.close()
    async with House(data=tmp_path, waits=False) as house:
        assert [binding.reg_id for binding in house.server.location.registered(aor)] == [1]


@simulated
async def test_of_two_flows_of_one_phone_one_rings_and_when_it_is_lost_the_other() -> None:
    async with House() as house:
        alice, wire, radio = await house.party("alice"), await house.party("bob"), await house.party("bob")
        await register(wire, reg_id=1, transport="TCP")
        await register(radio, reg_id=2, transport="TCP")
        alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        await answered(radio, alice)
        await wire.hears_nothing()
        await radio.transports.close()
        await alice.hears_nothing()
        alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        await answered(wire, alice)


@simulated
async def test_a_call_goes_by_the_path_of_the_registration() -> None:
    async with House() as house:
        alice, edge = await house.party("alice"), await house.party("edge")
        request = edge.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>", contact=f"<sip:bob@{HIDDEN}>")
        path = [f"<sip:token@{edge.host};lr>", "<sip:192.0.2.99;lr>"]
        request.headers.append("Path", ", ".join(path))
        request.headers.append("Supported", "path")
        edge.send(request)
        assert (await edge.hears("200 REGISTER")).headers.texts("Path") == path
        alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        invite = await answered(edge, alice)
        assert invite.uri_text == f"sip:bob@{HIDDEN}"
        assert invite.headers.texts("Route") == path


@simulated
async def test_a_gruu_rings_its_own_phone_and_no_other() -> None:
    async with House() as house:
        alice, desk, mobile = await house.party("alice"), await house.party("bob"), await house.party("bob")
        await register(desk, instance=ONE, reg_id=None)
        public, temporary = gruus(await register(mobile, instance=TWO, reg_id=None), TWO)
        for uri in (public, temporary):
            alice.ask("INVITE", uri)
            invite = await answered(mobile, alice)
            # The phone sees its Contact, without the parameter that chose it.
            assert invite.uri_text == f"sip:bob@{mobile.host}:5060;ob"
        await desk.hears_nothing()


@simulated
async def test_a_gruu_whose_phone_is_away_is_480_and_one_that_never_was_404() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob")
        public, temporary = gruus(await register(bob, transport="TCP"))
        await bob.transports.close()
        await alice.hears_nothing()
        for uri, status in ((public, 480), (temporary, 404), (f"sip:bob@{DOMAIN};gr", 404), (f"sip:bob@{DOMAIN};gr=x", 404)):
            alice.ask("INVITE", uri)
            assert (await alice.hears(f"{status} INVITE")).status == status


@simulated
async def test_a_phone_that_came_back_at_another_port_is_called_where_it_registered_last() -> None:
    """RFC 5627 §6.1: without reg-id, one that rebooted has several contacts; the latest is tried first, the next after silence alone."""
    async with House() as house:
        alice, old = await house.party("alice"), await house.party("bob")
        new = await house.party("bob")
        public, _ = gruus(await register(old, reg_id=None, call_id="a"))
        house.network.cut(old.host, SERVER)
        await register(new, reg_id=None, call_id="b")
        alice.ask("INVITE", public)
        await answered(new, alice)
        house.network.cut(new.host, SERVER)
        house.network.heal(old.host, SERVER)
        alice.ask("INVITE", public)
        await answered(old, alice)


@simulated
async def test_a_caller_is_reached_within_the_dialog_at_the_gruu_in_its_contact() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        for index, gruu in enumerate(gruus(await register(alice, user="alice", transport="TCP"))):
            alice.ask("INVITE", f"sip:bob@{DOMAIN}", contact=f"<{gruu}>", call_id=f"call{index}")
            await alice.hears("100 INVITE")
            invite = await bob.hears("INVITE")
            assert invite.contact.uri_text == gruu
            bob.reply(invite, 200)
            ok = await alice.hears("200 INVITE")
            dialog = Dialog(alice, bob, invite, ok)
            alice.within("ACK", dialog, cseq=1)
            await bob.hears("ACK")
            bob.within("BYE", dialog)
            bye = await alice.hears("BYE")
            assert bye.uri_text == f"sip:alice@{HIDDEN}:5060;ob"
            alice.reply(bye, 200)
            await bob.hears("200 BYE")


@simulated
async def test_what_the_caller_wants_of_a_phone_holds_for_the_one_of_a_gruu() -> None:
    """RFC 3841 §7.2.4: a feature that the caller rejects, and that the phone says it has, rules it out."""
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob")
        public, _ = gruus(await register(bob, reg_id=None, features=';automata;mobility="fixed"'))
        alice.ask("INVITE", public, extra='Reject-Contact: *;automata;mobility="fixed"')
        await alice.hears("480 INVITE")
        alice.ask("INVITE", public, extra='Reject-Contact: *;mobility="mobile"')
        await answered(bob, alice)


@simulated
async def test_a_redirect_server_takes_what_is_for_a_gruu_there_itself() -> None:
    async with House(domain={DOMAIN: DomainConfig(mode="redirect")}) as house:
        alice, bob = await house.party("alice"), await house.party("bob")
        public, _ = gruus(await register(bob, reg_id=None))
        invite = alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        alice.ack(invite, await alice.hears("302 INVITE"))
        alice.ask("INVITE", public)
        await answered(bob, alice)


@simulated
async def test_what_a_user_has_forwarded_is_not_what_is_for_one_phone() -> None:
    async with House() as house:
        alice, bob, carol = await house.party("alice"), await house.party("bob"), await house.party("carol", q=1.0)
        public, _ = gruus(await register(bob, reg_id=None))
        retargeting = house.server.core.determination.retargeting
        retargeting.forwarding = {f"sip:bob@{DOMAIN}": Forwarding(always=f"sip:carol@{DOMAIN}")}
        alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        await answered(carol, alice)
        alice.ask("INVITE", public)
        await answered(bob, alice)


@simulated
async def test_nobody_calls_from_another_users_gruu() -> None:
    async with guarded() as house:
        alice, bob = await registered(house, "alice"), await registered(house, "bob")
        asked = bob.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>", contact=f'<{bob.uri}>;+sip.instance="<{ONE}>"', cseq=3)
        asked.headers.append("Supported", "gruu")
        await prove(bob, asked)
        for gruu in gruus(await bob.hears("200 REGISTER")):
            await prove(alice, alice.request("INVITE", f"sip:bob@{DOMAIN}", contact=f"<{gruu}>"))
            assert (await alice.hears("403 INVITE")).reason == "Contact Is a GRUU of Another User"
            await prove(bob, bob.request("INVITE", f"sip:alice@{DOMAIN}", contact=f"<{gruu}>"))
            invite = await alice.hears("INVITE")
            assert invite.contact.uri_text == gruu
            alice.reply(invite, 486)
            await alice.hears("ACK")
            assert bob.kinds() == ["100 INVITE", "486 INVITE"]


# Within a dialog (RFC 5627 §6.1)


async def answered_at(gruu: str, alice: Party, bob: Party, *, record_route: str = "", keeps_state: bool = True) -> Dialog:
    """A call to a phone that answers with its GRUU, acknowledged."""
    alice.ask("INVITE", f"sip:bob@{DOMAIN}")
    if keeps_state:
        await alice.hears("100 INVITE")
    invite = await bob.hears("INVITE")
    if record_route:
        invite.headers.prepend("Record-Route", record_route)
    bob.reply(invite, 200, contact=f"<{gruu}>")
    ok = await alice.hears("200 INVITE")
    assert ok.contact.uri_text == gruu
    dialog = Dialog(alice, bob, invite, ok)
    alice.within("ACK", dialog, cseq=1)
    return dialog


@pytest.mark.parametrize("kind", ["public", "temporary"])
@simulated
async def test_what_is_for_a_gruu_within_a_dialog_reaches_its_phone_under_its_contact(kind: str) -> None:
    async with House() as house:
        alice, bob, other = await house.party("alice"), await house.party("bob"), await house.party("bob")
        public, temporary = gruus(await register(bob, reg_id=None))
        dialog = await answered_at(public if kind == "public" else temporary, alice, bob)
        assert (await bob.hears("ACK")).uri_text == f"sip:bob@{bob.host}:5060;ob"
        # Another phone of the same user is none of this dialog's affair.
        await register(other, instance=TWO, reg_id=None)
        alice.within("BYE", dialog)
        bye = await bob.hears("BYE")
        assert bye.uri_text == f"sip:bob@{bob.host}:5060;ob"
        assert "Route" not in bye.headers
        bob.reply(bye, 200)
        await alice.hears("200 BYE")


@pytest.mark.parametrize("mode", ["stateful", "stateless"])
@simulated
async def test_a_proxy_that_need_not_stay_stays_with_a_gruu(mode: str) -> None:
    """What is sent to a GRUU passes here in any case, and has to prove its dialog (RFC 5627 §6.2)."""
    async with House(proxy=proxy(record_route=False, mode=mode)) as house:
        alice, bob, carol = await house.party("alice"), await house.party("bob"), await house.party("carol", q=1.0)
        public, _ = gruus(await register(bob, reg_id=None))
        keeps_state = mode == "stateful"
        dialog = await answered_at(public, alice, bob, keeps_state=keeps_state)
        await bob.hears("ACK")
        alice.within("BYE", dialog)
        bob.reply(await bob.hears("BYE"), 200)
        await alice.hears("200 BYE")
        for caller, uri, stays in ((bob, public, True), (alice, alice.uri, False)):
            caller.ask("INVITE", f"sip:carol@{DOMAIN}", contact=f"<{uri}>")
            assert ("Record-Route" in (await answered(carol, caller, keeps_state=keeps_state)).headers) is stays


@simulated
async def test_a_phone_that_changes_its_connection_within_a_call_stays_in_it() -> None:
    async with House() as house:
        alice, bob, again = await house.party("alice"), await house.party("bob"), await house.party("bob")
        public, _ = gruus(await register(bob, transport="TCP", call_id="a"))
        dialog = await answered_at(public, alice, bob)
        await bob.hears("ACK")
        await bob.transports.close()
        await alice.hears_nothing()
        alice.within("INFO", dialog)
        await alice.hears("480 INFO")
        await register(again, transport="TCP", call_id="b")
        alice.within("BYE", dialog, cseq=3)
        again.reply(await again.hears("BYE"), 200)
        await alice.hears("200 BYE")


@simulated
async def test_the_dialogs_own_way_is_gone_and_not_the_path_of_the_registration() -> None:
    """An edge proxy that record-routes stands in the dialog's route; to go by its Path as well would pass it twice."""
    async with House(auth="none") as house:
        alice, edge = await house.party("alice"), await house.party("edge")
        request = edge.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>", contact=f'<sip:bob@{HIDDEN}>;+sip.instance="<{ONE}>"')
        request.headers.append("Path", f"<sip:path@{edge.host};lr>")
        request.headers.append("Supported", "path, gruu")
        edge.send(request)
        public, _ = gruus(await edge.hears("200 REGISTER"))
        stays = f"<sip:stays@{edge.host};lr>"
        for record_route, route in ((stays, stays), ("", f"<sip:path@{edge.host};lr>")):
            dialog = await answered_at(public, alice, edge, record_route=record_route)
            ack = await edge.hears("ACK")
            alice.within("BYE", dialog)
            bye = await edge.hears("BYE")
            for heard in (ack, bye):
                assert heard.uri_text == f"sip:bob@{HIDDEN}"
                assert heard.headers.texts("Route") == [route]
            edge.reply(bye, 200)
            await alice.hears("200 BYE")
