"""Calls whose caller shall not be known, and who somebody is by the word of others (RFC 3323, RFC 3325)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import IncomingCall, IncomingMessage, Request, SipParseError, UserAgent
from ringback.agent.call.asserted_identity import trusting
from ringback.agent.call.privacy import privacy_of
from tests.agent.call.test_incoming_call import OFFER, SDP, acknowledged, hang_up
from tests.agent.stage import Stage, on_stage


async def answer(call: IncomingCall) -> None:
    """Answers and listens until the end."""
    await call.answer()
    await call.ended()


def of_alice(stage: Stage) -> list[Request]:
    """What Alice, the first on stage, has asked."""
    return [message for message in stage.messages(Request) if message.via.host == "192.0.2.1"]


@pytest.mark.parametrize(
    ("anonymous", "privacy"), [(True, "id"), ("header;session;id", "header;session;id"), ("id;critical", "id;critical")]
)
def test_an_anonymous_call_names_nobody_from_its_invite_to_its_bye(anonymous: bool | str, privacy: str) -> None:
    seen = []

    async def reception(call: IncomingCall) -> None:
        seen.append(call.remote)
        await answer(call)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", display_name="Alice Smith")
        await stage.agent("bob", on_call=reception)
        async with alice.call(stage.uri("bob"), anonymous=anonymous) as call:
            await call.hold()
            await call.modify(None, method="UPDATE")

    stage = on_stage(scenario)
    assert (seen[0].display_name, seen[0].uri_text) == ("Anonymous", "sip:anonymous@anonymous.invalid")
    requests = of_alice(stage)
    assert [request.method for request in requests] == ["INVITE", "ACK", "INVITE", "ACK", "UPDATE", "BYE"]
    for request in requests:
        assert "alice" not in str(request).lower().replace(f"{request.via.params['branch']}", "")
        assert "User-Agent" not in request.headers
        assert "P-Preferred-Identity" not in request.headers
        if request.method != "ACK":
            assert request.headers.text("Privacy") == privacy
        if request.method in ("INVITE", "UPDATE"):
            assert request.contact.uri_text == "sip:192.0.2.1:5060"


def test_the_callee_of_a_reinvite_stays_anonymous_in_its_answers() -> None:
    async def holds(call: IncomingCall) -> None:
        await call.answer()
        await call.hold()
        await call.modify(None, method="UPDATE")

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", display_name="Alice Smith")
        await stage.agent("bob", on_call=holds)
        async with alice.call(stage.uri("bob"), anonymous=True) as call:
            await call.ended()

    stage = on_stage(scenario)
    assert "alice" not in "".join(str(message).lower() for message in stage.messages())


def test_only_a_trusted_proxy_is_told_who_calls() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", "sip:alice@192.0.2.2", display_name="Alice", password="secret")  # nobody's
        home = await stage.party("home", "alice")
        for uri, preferred in (("sip:bob@192.0.2.2", "Alice <sip:alice@192.0.2.2>"), ("sip:bob@192.0.2.3", None)):
            callee = home if preferred else await stage.party("bob", "alice")
            call = alice.call(uri, anonymous=True)
            await call.place()
            invite = await callee.hears("INVITE")
            assert invite.headers.text("P-Preferred-Identity") == preferred
            callee.reply(invite, 486)
            await callee.hears("ACK")

    on_stage(scenario)


def test_a_redirection_does_not_give_the_caller_away() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", "sip:alice@192.0.2.2")
        home, elsewhere = await stage.party("home", "alice"), await stage.party("elsewhere", "alice")
        call = alice.call("sip:bob@192.0.2.2", anonymous=True)
        await call.place()
        invite = await home.hears("INVITE")
        assert "alice" in invite.headers.texts("P-Preferred-Identity")[0]
        home.reply(invite, 302, extra=f"Contact: <{elsewhere.uri}>")
        await home.hears("ACK")
        invite = await elsewhere.hears("INVITE")
        assert "alice" not in str(invite)
        elsewhere.reply(invite, 486)
        await elsewhere.hears("ACK")

    on_stage(scenario)


@pytest.mark.parametrize("anonymous", ["", "none", "user", "id;id", "critical", "critical;id", "id;none", "x;y"])
def test_what_is_no_privacy(anonymous: str) -> None:
    with pytest.raises((ValueError, SipParseError)):
        privacy_of(anonymous)


def test_no_privacy_is_asked_for_unless_it_is_wanted() -> None:
    assert privacy_of(False) is None


# Asserted identities.

ALICE = '"Alice" <sip:alice@example.com>'
TEL = "<tel:+14085264000>"


@pytest.mark.parametrize(
    ("trusted", "asserted", "name"),
    [
        (["192.0.2.2"], ALICE, "Alice"),
        (["192.0.2.0/24"], f"{ALICE}, {TEL}", "Alice"),
        (["2001:db8::/32", "192.0.2.2"], f"{ALICE}\nP-Asserted-Identity: {TEL}", "Alice"),
        (["198.51.100.0/24"], ALICE, None),
        ([], ALICE, None),
        (["192.0.2.2"], "", None),
        (["192.0.2.2"], f"{ALICE}, <sip:bob@example.com>", None),
        (["192.0.2.2"], f"{TEL}, {TEL}", None),
        (["192.0.2.2"], f"{ALICE}, {TEL}, {TEL}", None),
        (["192.0.2.2"], "<mailto:alice@example.com>", None),
        (["192.0.2.2"], "<sip:", None),
    ],
)
def test_an_asserted_identity_is_believed_of_trusted_peers_alone(trusted: list[str], asserted: str, name: str | None) -> None:
    seen: list[Any] = []

    async def reception(call: IncomingCall) -> None:
        seen.append(call.asserted_identity)
        await answer(call)

    def on_message(message: IncomingMessage) -> None:
        seen.append(message.asserted_identity)

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_call=reception, on_message=on_message, trusted_peers=trusted)
        alice = await stage.party("alice", "bob")
        bob = stage.uri("bob")
        extra = f"P-Asserted-Identity: {asserted}" if asserted else ""
        await hang_up(alice, await acknowledged(alice, alice.ask("INVITE", bob, body=OFFER, extra=f"{SDP}{extra}")))
        alice.ask("MESSAGE", bob, extra=extra)
        await alice.hears("200 MESSAGE")

    on_stage(scenario)
    assert [None if identity is None else identity.display_name for identity in seen] == [name, name]


@pytest.mark.parametrize("trusted", [["192.0.2.2"], []])
def test_who_has_answered_is_known_by_the_word_of_a_trusted_peer(trusted: list[str]) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", trusted_peers=trusted)
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        await call.place()
        extra = "Content-Type: application/sdp\nP-Asserted-Identity: <sip:carol@example.com>"
        bob.reply(await bob.hears("INVITE"), 200, extra=extra, body=OFFER.encode())
        await bob.hears("ACK")
        identity = call.asserted_identity
        assert (None if identity is None else identity.uri_text) == ("sip:carol@example.com" if trusted else None)
        hanging_up = asyncio.ensure_future(call.hang_up())
        bob.reply(await bob.hears("BYE"), 200)
        await hanging_up

    on_stage(scenario)


def test_who_is_trusted() -> None:
    trusts = trusting(["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"])
    assert [trusts(host) for host in ("192.0.2.1", "10.9.9.9", "::ffff:10.1.1.1", "2001:db8::7%eth0")] == [True] * 4
    assert [trusts(host) for host in ("192.0.2.2", "2001:db9::1", "example.com", "")] == [False] * 4
    assert not trusting(())("192.0.2.1")
    with pytest.raises(ValueError, match="example"):
        UserAgent("sip:alice@example.com", trusted_peers=["example.com"])
