"""With the configuration a server has by default nobody unknown gets anything done (V25, V26, T20, T07 with challenges)."""

import asyncio
from collections.abc import Callable

import pytest

from ringback.message.derive import cancel_of
from ringback.message.message import Request, Response
from ringback.server.config import Config
from tests.server.party import DOMAIN, SERVER, Party, kind_of, simulated
from tests.server.proving import call, guarded, guest, prove, registered

METHODS = (
    *("INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "PRACK"),
    *("SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE"),
)
CALLERS = {
    "a user": f"sip:alice@{DOMAIN}",
    "nobody": f"sip:nobody@{DOMAIN}",
    "the domain": f"sip:{DOMAIN}",
    "the server": f"sip:alice@{SERVER}",
    "a stranger": "sip:mallory@elsewhere.example",
    "anonymous": "sip:anonymous@anonymous.invalid",
    "a telephone": "tel:+15551234",
}


def test_this_is_the_default() -> None:
    assert Config().auth == "digest"
    assert not Config().access.accept_strangers


def final_of(party: Party) -> list[int]:
    return [heard.message.status for heard in party.heard if isinstance(heard.message, Response) and heard.message.status != 100]


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("within", ["", ";tag=invented"])
@pytest.mark.parametrize("method", METHODS)
@simulated
async def test_no_method_gets_anything_done_without_a_password(method: str, within: str, caller: str) -> None:
    """In and out of dialogs, to a user, to an address of ours, to the server, to others, by way of a Route, from whoever."""
    async with guarded(waits=False) as house:
        await guest(house, "alice", "192.0.2.1")
        bob = await house.party("bob", "192.0.2.2", q=1.0)
        victim = await house.party("victim", "203.0.113.9")
        mallory = await house.party("mallory", "198.51.100.1")
        bound = len(house.server.location)
        asked = 0
        for uri in (
            f"sip:bob@{DOMAIN}",
            f"sip:nobody@{DOMAIN}",
            f"sip:bob@{SERVER}",
            bob.uri,
            victim.uri,
            f"sip:{DOMAIN}",
            f"sip:{SERVER}",
        ):
            for route in ("", f"Route: <sip:{SERVER};lr>", f"Route: <sip:{SERVER};lr>\nRoute: <{victim.uri};lr>"):
                if method == "OPTIONS" and uri in (f"sip:{DOMAIN}", f"sip:{SERVER}") and victim.uri not in route:
                    # What the server itself can do it tells everybody.
                    continue
                asked += 1
                mallory.ask(
                    method, uri, from_=f"<{CALLERS[caller]}>;tag=m", to=f"<{uri}>{within}", extra=route, contact="<sip:x@198.51.100.1>"
                )
        await asyncio.sleep(40)
        assert (bob.heard, victim.heard) == ([], [])
        assert len(house.server.location) == bound
        assert {sent.destination[0] for sent in house.sent} <= {mallory.host}
        answers = final_of(mallory)
        assert len(answers) == (0 if method == "ACK" else asked)
        assert set(answers) <= {401, 403, 407, 481}


# Who has overheard a whole call


Forge = Callable[[Request], None]


def untouched(request: Request) -> None:
    """Every identifier is known."""


def wrong_tags(request: Request) -> None:
    request.headers.set("From", f"<sip:alice@{DOMAIN}>;tag=guessed")
    request.headers.set("To", f"<sip:bob@{DOMAIN}>;tag=guessed-too")


@pytest.mark.parametrize("knows", [untouched, wrong_tags])
@pytest.mark.parametrize(
    "method", ["BYE", "INVITE", "UPDATE", "INFO", "NOTIFY", "REFER", "MESSAGE", "PRACK", "SUBSCRIBE", "OPTIONS", "ACK", "CANCEL"]
)
@pytest.mark.parametrize("as_caller", [True, False])
@simulated
async def test_a_forged_request_in_a_dialog_has_no_effect(method: str, knows: Forge, as_caller: bool) -> None:
    """From another address, over both transports; afterwards the call goes on as if nothing had been."""
    async with guarded() as house:
        alice, bob = await registered(house, "alice"), await registered(house, "bob")
        mallory = await house.party("mallory", "198.51.100.1")
        dialog = await call(alice, bob)
        before = len(house.sent)
        party = alice if as_caller else bob
        for transport in ("UDP", "TCP"):
            request = party.compose(method, dialog, cseq=9, body="v=0")
            request.headers.set("Via", f"SIP/2.0/{transport} {mallory.host}:5060;branch={mallory.branch()}")
            knows(request)
            mallory.send(request, transport=transport)
        await asyncio.sleep(1)
        assert (alice.kinds(), bob.kinds()) == ([], [])
        assert {sent.destination[0] for sent in house.sent[before:]} <= {mallory.host}
        expected = {"ACK": set(), "CANCEL": {481}}.get(method, {407} if knows is untouched else {481})
        assert set(final_of(mallory)) == expected
        mallory.heard.clear()
        party.within("INFO", dialog, cseq=10)
        other = bob if as_caller else alice
        other.reply(await other.hears("INFO"), 200)
        await party.hears("200 INFO")


@simulated
async def test_an_overheard_invite_is_cancelled_by_nobody_else() -> None:
    async with guarded() as house:
        alice, bob = await guest(house, "alice"), await registered(house, "bob")
        mallory = await house.party("mallory", "198.51.100.1")
        sent = await prove(alice, alice.request("INVITE"))
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        for transport in ("UDP", "TCP"):
            mallory.send(cancel_of(sent), transport=transport)
        await bob.hears_nothing(1.0)
        bob.reply(invite, 486)
        alice.ack(sent, await alice.hears("486 INVITE"))


# Bytes out for bytes in

SHORT = """{method} sip:{domain} SIP/2.0
v: SIP/2.0/UDP h;branch=z9hG4bK{method}
f: <sip:a@{domain}>;tag=1
t: <sip:a@{domain}>
i: {method}
CSeq: 1 {method}

"""


@pytest.mark.parametrize("domain", ["a.io", DOMAIN, "a-long-label-of-a-domain." * 4 + "example"])
@simulated
async def test_a_challenge_is_one_datagram_of_at_most_three_times_the_size(domain: str) -> None:
    """The shortest requests there are, from a source that is silent, for forty seconds; two algorithms are on offer."""
    async with guarded(domains=(domain,), waits=False) as house:
        silent = await house.party("silent", "198.51.100.1")
        for method in METHODS:
            text = SHORT.format(method=method, domain=domain)
            if method != "REGISTER":
                text = text.replace(f" sip:{domain} ", f" sip:b@{domain} ", 1)
            silent.send(text)
            await asyncio.sleep(40)
            answers = [sent.octets for sent in house.sent]
            assert len(answers) == (0 if method == "ACK" else 1), (method, answers)
            if answers:
                asked = len(text) + text.count("\n")
                assert answers[0].startswith((b"SIP/2.0 401", b"SIP/2.0 407", b"SIP/2.0 481")), answers
                assert len(answers[0]) <= 3 * asked, (method, len(answers[0]), asked)
            house.network.log.clear()
            house.network.lost.clear()
        assert house.server.core.layer.servers == {}, "a challenge keeps nothing"


@simulated
async def test_a_challenge_is_not_repeated_by_itself() -> None:
    """§26.3.2.4: whoever is not known is answered once for each datagram, and forgotten."""
    async with guarded(waits=False) as house:
        mallory = await house.party("mallory", "198.51.100.1")
        request = mallory.request("INVITE", from_=f"<sip:alice@{DOMAIN}>;tag=m")
        for count in range(1, 4):
            mallory.send(request)
            await asyncio.sleep(40)
            assert [kind_of(heard.message) for heard in mallory.heard] == ["407 INVITE"] * count
        assert house.server.core.layer.servers == {}
