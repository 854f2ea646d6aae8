"""An edge proxy before the registrar: who registers through it is reached through it, down the flow he opened (RFC 5626 §5, RFC 3327)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ringback.server.config import Config, ConfigError, EdgeConfig, NatConfig, RegistrarConfig
from ringback.testing import Network
from tests.server.outbound.test_keepalive import answers_options
from tests.server.party import Dialog, House, Party, simulated
from tests.server.proving import PASSWORD, prove

EDGE, REGISTRAR = "192.0.2.100", "192.0.2.200"
INSIDE, OUTSIDE = "10.0.0.2", "203.0.113.1"


@asynccontextmanager
async def edge_and_registrar(forgets_after: float = 3_600, keepalive: float = 0, **config: Any) -> AsyncIterator[tuple[House, House]]:
    """An edge proxy, and the registrar behind it with this configuration; a phone at 10.0.0.2 is behind a NAT.

    `keepalive` as the edge is configured: when a phone's turn comes is chance, and most wait for something else than OPTIONS.
    """
    network = Network()
    network.nat(OUTSIDE, [INSIDE], timeout=forgets_after)
    before = EdgeConfig(registrar=f"sip:{REGISTRAR}")
    async with (
        House(network, host=REGISTRAR, waits=False, **config) as registrar,
        House(network, host=EDGE, waits=False, edge=before, nat=NatConfig(keepalive=keepalive)) as edge,
    ):
        yield edge, registrar


async def registers(phone: Party, *, cseq: int = 1, supported: str = "path, outbound", via: str = "") -> Any:
    instance = f'+sip.instance="<urn:uuid:00000000-0000-1000-8000-{phone.name.encode().hex():0>12}>";reg-id=1'
    phone.ask(
        "REGISTER",
        "sip:example.com",
        to=f"<sip:{phone.name}@example.com>",
        contact=f"<{phone.uri};ob>;{instance}",
        cseq=cseq,
        call_id=f"registers@{phone.host}",
        extra=f"Supported: {supported}{via}",
    )
    return await phone.hears("200 REGISTER")


async def call(caller: Party, callee: Party, uri: str) -> Dialog:
    caller.ask("INVITE", uri)
    await caller.hears("100 INVITE")
    invite = await callee.hears("INVITE")
    callee.reply(invite, 200)
    dialog = Dialog(caller, callee, invite, await caller.hears("200 INVITE"))
    caller.within("ACK", dialog, cseq=1)
    await callee.hears("ACK")
    return dialog


async def talk(dialog: Dialog) -> None:
    for one, other in ((dialog.caller, dialog.callee), (dialog.callee, dialog.caller)):
        one.within("INFO", dialog, cseq=5)
        got = await other.hears("INFO")
        assert got.routes == []
        other.reply(got, 200)
        await one.hears("200 INFO")
    dialog.callee.within("BYE", dialog, cseq=6)
    dialog.caller.reply(await dialog.caller.hears("BYE"), 200)
    await dialog.callee.hears("200 BYE")


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@simulated
async def test_a_phone_behind_the_edge_registers_is_called_and_calls(transport: str) -> None:
    async with edge_and_registrar() as (edge, registrar):
        alice, bob = await registrar.party("alice", "192.0.2.1"), await edge.party("bob", INSIDE, transport=transport)
        registrar.bind("alice", alice.uri)
        ok = await registers(bob)
        [path] = ok.headers.texts("Path")
        assert path.startswith("<sip:") and path.endswith(f"@{EDGE}:5060;lr;ob>")
        # RFC 5626 §6: the registrar knows that its first hop keeps flows.
        assert ok.headers.text("Require") == "outbound"
        await talk(await call(alice, bob, "sip:bob@example.com"))
        await talk(await call(bob, alice, "sip:alice@example.com"))


@simulated
async def test_two_phones_behind_the_edge_call_each_other() -> None:
    async with edge_and_registrar() as (edge, _):
        ann, bob = await edge.party("ann", "192.0.2.1"), await edge.party("bob", INSIDE, transport="TCP")
        await registers(ann)
        await registers(bob)
        await talk(await call(ann, bob, "sip:bob@example.com"))


@simulated
async def test_a_forged_token_is_refused_and_told() -> None:
    async with edge_and_registrar() as (edge, registrar):
        bob, mallory = await edge.party("bob", INSIDE), await edge.party("mallory", "198.51.100.1")
        await registers(bob)
        [binding] = registrar.server.location.registered("sip:bob@example.com")
        for forged in (binding.path.replace("-40001", "-40002"), binding.path.replace("<sip:", "<sip:0"), f"<sip:bob@{EDGE};lr>"):
            mallory.ask("MESSAGE", bob.uri, extra=f"Route: {forged}")
            assert (await mallory.hears("403 MESSAGE")).reason == "Flow Token Is Not of This Server"
        mallory.ask("ACK", bob.uri, extra=f"Route: {forged}")
        await bob.hears_nothing()
        # Three refusals, one line.
        place = "198.51.100.1:5060"
        assert edge.reports == [f"a flow token in Route is not of this server's making: refused with 403; the latest came from {place}"]


@simulated
async def test_a_flow_that_is_gone_is_430_and_the_caller_is_told_that_nobody_is_there() -> None:
    async with edge_and_registrar() as (edge, registrar):
        alice, bob = await registrar.party("alice", "192.0.2.1"), await edge.party("bob", INSIDE, transport="TCP")
        await registers(bob)
        [binding] = registrar.server.location.registered("sip:bob@example.com")
        await bob.loses_connections()
        alice.ask("MESSAGE", bob.uri, extra=f"Route: {binding.path}", to="<sip:bob@example.com>")
        assert alice.kinds() == []
        mallory = await edge.party("mallory", "198.51.100.1")
        mallory.ask("MESSAGE", bob.uri, extra=f"Route: {binding.path}")
        await mallory.hears("430 MESSAGE")
        await alice.hears("403 MESSAGE")
        alice.ask()
        await alice.hears("100 INVITE")
        await alice.hears("480 INVITE")


@simulated
async def test_a_phone_that_shows_its_own_token_goes_out() -> None:
    """RFC 5626 §5.3.2: what comes over the very flow that it names is no request for that flow."""
    async with edge_and_registrar() as (edge, registrar):
        alice, bob = await registrar.party("alice", "192.0.2.1"), await edge.party("bob", INSIDE)
        registrar.bind("alice", alice.uri)
        ok = await registers(bob)
        bob.ask("MESSAGE", "sip:alice@example.com", extra=f"Route: {ok.headers.text('Path')}")
        alice.reply(await alice.hears("MESSAGE"), 200)
        await bob.hears("200 MESSAGE")


@simulated
async def test_only_the_first_hop_marks_a_flow() -> None:
    async with edge_and_registrar() as (edge, _):
        inner = await edge.party("inner", "192.0.2.3")
        inner.ask(
            "REGISTER",
            "sip:example.com",
            to="<sip:ann@example.com>",
            contact="<sip:ann@10.9.9.9>",
            extra="Via: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKfirst\nSupported: path\nPath: <sip:192.0.2.3;lr>",
        )
        ok = await inner.hears("200 REGISTER")
        assert ok.headers.texts("Path") == [f"<sip:{EDGE}:5060;lr>", "<sip:192.0.2.3;lr>"]


@simulated
async def test_of_a_phone_that_knows_path_the_registrar_has_to_know_it() -> None:
    """RFC 3327 §5.2: one that does not says so, and binds no phone that it could not reach."""
    network = Network()
    async with House(network, host=EDGE, waits=False, edge=EdgeConfig(registrar=f"sip:{REGISTRAR}")) as edge:
        old = Party(network, "old", REGISTRAR)
        edge.parties.append(await old.open())
        bob = await edge.party("bob", "192.0.2.2")
        for extra, required in (("Supported: path", ["path"]), ("Supported: gruu", []), ("", [])):
            bob.ask("REGISTER", "sip:example.com", to="<sip:bob@example.com>", contact=f"<{bob.uri}>", extra=extra)
            register = await old.hears("REGISTER")
            assert register.require == required
            assert len(register.headers.texts("Path")) == 1
            old.reply(register, 420, extra="Unsupported: path")
            await bob.hears("420 REGISTER")


@simulated
async def test_a_phone_that_knows_no_path_hears_what_the_registrar_says_to_that() -> None:
    async with edge_and_registrar() as (edge, _):
        bob = await edge.party("bob", INSIDE)
        bob.ask("REGISTER", "sip:example.com", to="<sip:bob@example.com>", contact=f"<{bob.uri}>")
        refusal = await bob.hears("420 REGISTER")
        assert refusal.headers.text("Unsupported") == "path"


@simulated
async def test_the_edge_itself_answers_only_for_itself() -> None:
    async with edge_and_registrar() as (edge, _):
        bob = await edge.party("bob", "192.0.2.2")
        bob.ask("OPTIONS", f"sip:{EDGE}")
        await bob.hears("200 OPTIONS")
        bob.ask("INVITE", "sip:x@other.example")
        await bob.hears("100 INVITE")
        # It went through the registrar, and that serves no such domain.
        await bob.hears("403 INVITE")


@pytest.mark.parametrize(
    ("registrar", "fault"),
    [
        ("registrar.example.org", "is no SIP URI"),
        ("sip:bob@registrar.example.org", "must name a server and no user"),
        ("sip:registrar.example.org?x=y", "must name a server and no user"),
    ],
)
def test_a_registrar_that_cannot_be_meant(registrar: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=rf"edge\.registrar: .*{fault}"):
        EdgeConfig(registrar=registrar)


def test_passwords_are_the_registrars() -> None:
    config = Config(auth="digest", edge=EdgeConfig(registrar="sip:registrar.example.org"))
    assert config.edge.registrar == "sip:registrar.example.org;lr"
    assert not config.asks_passwords and Config(auth="digest").asks_passwords


@simulated
async def test_the_way_to_a_phone_that_knows_nothing_of_all_this_is_kept_open() -> None:
    """It was asked for its password through the edge, so it is where it says; the edge asks it every 25 seconds, as long as it is bound."""
    unasked = RegistrarConfig(path_unasked=True)
    async with edge_and_registrar(forgets_after=60, keepalive=25, auth="digest", registrar=unasked) as (edge, registrar):
        registrar.server.users.add("bob", "example.com", PASSWORD)
        bob = await edge.party("bob", INSIDE)
        asked = answers_options(bob)
        register = bob.request("REGISTER", "sip:example.com", to="<sip:bob@example.com>", contact=f"<{bob.uri}>;expires=600")
        await prove(bob, register)
        await bob.hears("200 REGISTER")
        await asyncio.sleep(500)
        assert 18 <= len(asked) <= 21
        [binding] = registrar.server.location.registered("sip:bob@example.com")
        alice = await registrar.party("alice", "192.0.2.1")
        registrar.server.users.add("alice", "example.com", PASSWORD)
        await prove(alice, alice.request("MESSAGE", "sip:bob@example.com"))
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")
        # Nothing is kept beyond what was granted.
        await asyncio.sleep(200)
        assert len(edge.server.core.edge.phones) == 0 and binding


@simulated
async def test_an_edge_asks_nobody_who_has_proved_nothing_or_was_refused() -> None:
    async with edge_and_registrar(registrar=RegistrarConfig(path_unasked=True)) as (edge, _):
        bob = await edge.party("bob", INSIDE)
        bob.ask("REGISTER", "sip:example.com", to="<sip:bob@example.com>", contact=f"<{bob.uri}>", cseq=1, call_id="r")
        await bob.hears("200 REGISTER")
        assert len(edge.server.core.edge.phones) == 1
        await bob.hears_nothing(100)
        bob.ask("REGISTER", "sip:example.com", to="<sip:bob@example.com>", contact="*", extra="Expires: 0", cseq=2, call_id="r")
        await bob.hears("200 REGISTER")
        bob.ask("REGISTER", "sip:other.example", to="<sip:bob@other.example>", contact=f"<{bob.uri}>")
        await bob.hears("403 REGISTER")
        assert len(edge.server.core.edge.phones) == 0
