"""The stateless proxy (RFC 3261 §16.11): everything that goes through it is told by the messages alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback.address import Target
from ringback.message.derive import ack_of, cancel_of, response_to
from ringback.message.message import Request, Response
from ringback.server.config import DomainConfig
from tests.server.party import DOMAIN, SERVER, Dialog, House, Party, proxy, simulated

STATELESS = {DOMAIN: DomainConfig(mode="stateless")}


def stateless(**config: Any) -> House:
    """A house whose domain keeps no state."""
    return House(domain=STATELESS, **config)


def keeps_nothing(house: House) -> bool:
    """Whether no trace of a request is left, at this very moment."""
    core = house.server.core
    return not (core.layer.clients or core.layer.servers or len(core.proxy.timers) or core.proxy.unanswered)


def top_branch(message: Request | Response) -> str:
    """The branch of the topmost Via."""
    branch = message.vias[0].branch
    assert branch is not None
    return branch


async def ringing(house: House) -> tuple[Party, Party, Request, Request]:
    """Alice calls Bob: the INVITE as she sent it and as he heard it."""
    alice = await house.party("alice")
    bob = await house.party("bob", q=1.0)
    invite = alice.ask()
    return alice, bob, invite, await bob.hears("INVITE")


@simulated
async def test_a_call_passes_and_nothing_is_kept_of_it() -> None:
    async with stateless() as house:
        alice, bob, _, heard = await ringing(house)
        assert keeps_nothing(house)
        assert alice.kinds() == [], "no 100 of its own"
        bob.reply(heard, 180)
        ringing_ = await alice.hears("180 INVITE")
        assert [via.host for via in ringing_.vias] == [alice.host]
        bob.reply(heard, 200, body=b"v=0")
        ok = await alice.hears("200 INVITE")
        assert ok.body == b"v=0"
        dialog = Dialog(alice, bob, heard, ok)
        alice.within("ACK", dialog, cseq=1)
        await bob.hears("ACK")
        alice.within("BYE", dialog)
        bye = await bob.hears("BYE")
        assert keeps_nothing(house)
        bob.reply(bye, 200)
        await alice.hears("200 BYE")


@simulated
async def test_a_retransmission_is_forwarded_to_the_octet_as_the_request_was() -> None:
    async with stateless() as house:
        alice, bob, invite, heard = await ringing(house)
        alice.send(invite)
        again = await bob.hears("INVITE")
        assert again.to_bytes() == heard.to_bytes()
        assert "Record-Route" in heard.headers
        other = alice.ask()
        assert top_branch(await bob.hears("INVITE")) != top_branch(heard)
        assert top_branch(other) != top_branch(invite)


@simulated
async def test_cancel_takes_the_way_of_its_invite_and_is_answered_by_the_callee() -> None:
    async with stateless() as house:
        alice, bob, invite, heard = await ringing(house)
        alice.send(cancel_of(invite))
        cancel = await bob.hears("CANCEL")
        assert top_branch(cancel) == top_branch(heard)
        assert cancel.uri_text == heard.uri_text
        assert alice.kinds() == [], "no 200 of its own"
        bob.reply(cancel, 200)
        await alice.hears("200 CANCEL")
        bob.reply(heard, 487)
        refused = await alice.hears("487 INVITE")
        alice.send(ack_of(invite, refused))
        ack = await bob.hears("ACK")
        assert (top_branch(ack), ack.uri_text) == (top_branch(heard), heard.uri_text)
        assert keeps_nothing(house)


@simulated
async def test_within_a_dialog_invite_cancel_and_ack_go_one_way_too() -> None:
    async with stateless() as house:
        alice, bob, _, heard = await ringing(house)
        bob.reply(heard, 200)
        dialog = Dialog(alice, bob, heard, await alice.hears("200 INVITE"))
        alice.within("ACK", dialog, cseq=1)
        await bob.hears("ACK")
        again = alice.within("INVITE", dialog)
        reinvite = await bob.hears("INVITE")
        assert "Record-Route" in reinvite.headers
        alice.send(cancel_of(again))
        cancel = await bob.hears("CANCEL")
        bob.reply(reinvite, 488)
        refused = await alice.hears("488 INVITE")
        alice.send(ack_of(again, refused))
        ack = await bob.hears("ACK")
        assert top_branch(reinvite) == top_branch(cancel) == top_branch(ack)
        bob.within("BYE", dialog, cseq=1)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")
        assert keeps_nothing(house)


@simulated
async def test_a_thousand_calls_leave_no_entry_behind() -> None:
    async with stateless() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        for _ in range(1000):
            alice.ask()
            bob.reply(await bob.hears("INVITE"), 486)
            await alice.hears("486 INVITE")
        assert keeps_nothing(house)
        await asyncio.sleep(40)
        assert house.server.core.layer.next_deadline() is None


@simulated
async def test_one_target_is_chosen_the_first_and_always_the_same() -> None:
    async with stateless() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=0.5)
        better = await house.party("better", q=1.0, aor="bob")
        invite = alice.ask()
        alice.send(invite)
        assert top_branch(await better.hears("INVITE")) == top_branch(await better.hears("INVITE"))
        await bob.hears_nothing()


@simulated
async def test_a_response_goes_on_only_with_the_branch_that_its_request_was_given() -> None:
    async with stateless() as house:
        alice, bob, _, heard = await ringing(house)
        victim = await house.party("victim")
        forged = response_to(heard, 200, tag="forged")
        vias = forged.vias
        forged.headers.remove("Via")
        # The branch is genuine, but was not computed for this Via.
        forged.headers.prepend("Via", str(vias[1]).replace(alice.host, victim.host))
        forged.headers.prepend("Via", str(vias[0]))
        bob.send(forged)
        for change in (
            lambda text: text.replace("z9hG4bK.", "z9hG4bK.0"),
            lambda text: text.replace("z9hG4bK.", "z9hG4bK"),
            lambda text: text.replace(SERVER, "192.0.2.77"),
        ):
            other = response_to(heard, 200, tag="forged")
            other.headers.replace_first("Via", change(str(vias[0])))
            bob.send(other)
        bob.send(f"SIP/2.0 200 OK\nVia: {vias[0]}\nTo: x\nFrom: y\nCall-ID: {heard.call_id}\nCSeq: 1 INVITE\nContent-Length: 0\n\n")
        await victim.hears_nothing()
        assert alice.kinds() == []
        bob.reply(heard, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_whoever_cancels_from_elsewhere_cancels_another_branch() -> None:
    async with stateless() as house:
        _alice, bob, invite, heard = await ringing(house)
        mallory = await house.party("mallory")
        mallory.send(cancel_of(invite))
        assert top_branch(await bob.hears("CANCEL")) != top_branch(heard)


@simulated
async def test_a_client_of_rfc_2543_has_no_branch() -> None:
    async with stateless() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        carol = await house.party("carol", q=1.0)
        branches = []
        for request in ("INVITE bob 1", "CANCEL bob 1", "ACK bob 1", "INVITE bob 2", "INVITE carol 1"):
            method, to, cseq = request.split()
            text = alice.request(method, f"sip:{to}@{DOMAIN}", cseq=int(cseq), call_id="old", branch="old").to_bytes().decode()
            alice.send(text.replace(";branch=old", ""))
            branches.append(top_branch(await (bob if to == "bob" else carol).hears(method)))
        assert branches[0] == branches[1] == branches[2]
        assert len(set(branches)) == 3


@simulated
async def test_loops_end_in_482_and_spirals_pass() -> None:
    # RFC 5393 §4.2: it is the hash in the branch that tells one from the other.
    async with stateless() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        house.bind("spiral", f"sip:bob@{SERVER}")
        house.bind("loop", f"sip:loop@{SERVER}")
        alice.ask("INVITE", f"sip:spiral@{DOMAIN}")
        heard = await bob.hears("INVITE")
        assert [via.host for via in heard.vias] == [SERVER, SERVER, alice.host]
        bob.reply(heard, 486)
        await alice.hears("486 INVITE")
        alice.ask("INVITE", f"sip:loop@{DOMAIN}", extra='Proxy-Authorization: Digest realm="elsewhere"')
        await alice.hears("482 INVITE")


@simulated
async def test_hops_are_counted_and_what_cannot_be_forwarded_is_refused_once() -> None:
    async with stateless() as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        alice.ask(max_forwards=0)
        await alice.hears("483 INVITE")
        alice.ask("INVITE", f"sip:nobody@{DOMAIN}")
        refused = await alice.hears("404 INVITE")
        alice.send(ack_of(alice.request("INVITE", f"sip:nobody@{DOMAIN}", branch=refused.via.branch), refused))
        house.bind("nowhere", "sip:nowhere@unknown.example.net")
        alice.ask("INVITE", f"sip:nowhere@{DOMAIN}")
        await alice.hears("500 INVITE")
        alice.ask("CANCEL", f"sip:nobody@{DOMAIN}")
        await alice.hears("481 CANCEL")
        assert keeps_nothing(house)


@simulated
async def test_the_ack_of_an_own_refusal_stays_here() -> None:
    async with stateless() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        invite = alice.ask(max_forwards=0)
        refused = await alice.hears("483 INVITE")
        alice.send(ack_of(invite, refused))
        await bob.hears_nothing()


@simulated
async def test_a_large_invite_is_kept_so_that_its_cancel_finds_the_connection() -> None:
    async with stateless() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        invite = alice.ask(body="v" * 1500)
        heard = await bob.hears("INVITE")
        assert heard.via.transport == "TCP"
        assert not keeps_nothing(house)
        await alice.hears("100 INVITE")
        bob.reply(heard, 180)
        await alice.hears("180 INVITE")
        alice.send(cancel_of(invite))
        await alice.hears("200 CANCEL")
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(heard, 487)
        await bob.hears("ACK")
        alice.ack(invite, await alice.hears("487 INVITE"))


@pytest.mark.parametrize("listen", [["udp://192.0.2.100:5060", "udp://192.0.2.100:5070"], ["udp://192.0.2.100:5060"]])
@simulated
async def test_a_response_leaves_by_the_endpoint_its_request_came_to(listen: list[str]) -> None:
    async with stateless(listen=listen) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        port = int(listen[-1].rpartition(":")[2])
        flow = alice.transports.flow_to(Target("UDP", SERVER, port))
        assert flow is not None
        alice.transports.send(alice.request().to_bytes(), flow)
        bob.reply(await bob.hears("INVITE"), 180)
        await alice.hears("180 INVITE")
        assert alice.heard[-1].flow.port == port


@simulated
async def test_over_tcp_a_response_takes_the_connection_of_its_request() -> None:
    async with stateless() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        invite = alice.ask(transport="TCP")
        heard = await bob.hears("INVITE")
        bob.reply(heard, 180)
        await alice.hears("180 INVITE")
        flow = alice.heard[-1].flow
        assert flow.endpoint.transport == "TCP"
        assert flow.port == 5060
        alice.send(cancel_of(invite), transport="TCP")
        cancel = await bob.hears("CANCEL")
        assert top_branch(cancel) == top_branch(heard)
        bob.reply(cancel, 200)
        await alice.hears("200 CANCEL")


@simulated
async def test_other_domains_keep_state_beside_it() -> None:
    async with House(domains=(DOMAIN, "example.org"), domain=STATELESS, proxy=proxy()) as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        house.bind("bob", bob.uri, domain="example.org")
        invite = alice.ask("INVITE", "sip:bob@example.org")
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 486)
        alice.ack(invite, await alice.hears("486 INVITE"))
        await bob.hears("ACK")


@simulated
async def test_the_whole_server_may_keep_no_state() -> None:
    async with House(proxy=proxy(mode="stateless")) as house:
        alice, bob, _, heard = await ringing(house)
        assert keeps_nothing(house)
        bob.reply(heard, 200)
        dialog = Dialog(alice, bob, heard, await alice.hears("200 INVITE"))
        bob.within("BYE", dialog, cseq=1)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")
        assert keeps_nothing(house)
