"""What an operator sees of a server and does to it, asked as `ringback ctl` asks."""

import asyncio
import json
import logging
from typing import Any

import msgspec
import pytest

from ringback.server.config import DrainConfig, GatewayConfig, RouteConfig
from ringback.server.location.binding import Binding
from ringback.server.operation.control.json_rpc import INVALID_PARAMS, REFUSED, answer
from ringback.server.operation.control.methods import METHODS
from tests.server.party import DOMAIN, House, simulated


async def ask(house: House, method: str, /, **params: Any) -> Any:
    """The result of a method, as it comes out at the other end of the socket."""
    answered = await answer(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode(), METHODS, house.server)
    assert answered is not None
    message = json.loads(answered)
    if "error" in message:
        raise RefusedError(message["error"]["message"], message["error"]["code"])
    return message["result"]


class RefusedError(Exception):
    """An error came back: its message and its code."""


def test_every_method_says_what_it_does() -> None:
    assert list(METHODS)[:3] == ["status", "registrations", "unregister"]


@simulated
async def test_status() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)
        await asyncio.sleep(10)
        alice.ask("INVITE")
        alice.send("no message\r\n\r\n")
        invite = await bob.hears("INVITE")
        status = await ask(house, "status")
        assert (status["state"], status["uptime"], status["domains"], status["users"]) == ("serving", 10.0, [DOMAIN], None)
        assert status["listening"] == ["udp://192.0.2.100:5060", "tcp://192.0.2.100:5060"]
        assert (status["registrations"], status["calls"], status["under_way"]) == (1, 1, 1)
        assert status["transactions"] == {"server": 1, "client": 1}
        assert status["counts"]["malformed"] == 1
        bob.reply(invite, 200)
        await asyncio.sleep(1)
        assert (await ask(house, "status"))["calls"] == 0, "the call is up: that is between the two"


@simulated
async def test_calls_are_those_being_set_up() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob, cellar = await house.party("bob", q=1), await house.party("cellar", aor="bob", q=1)
        assert await ask(house, "calls") == {"total": 0, "calls": []}
        sent = alice.ask("INVITE")
        invite = await bob.hears("INVITE")
        await cellar.hears("INVITE")
        [call] = (await ask(house, "calls"))["calls"]
        assert (call["state"], call["from"], call["to"], call["uri"]) == ("trying", f"sip:alice@{DOMAIN}", sent.uri_text, sent.uri_text)
        assert (call["call_id"], call["source"]) == (sent.call_id, "udp 192.0.2.1:5060")
        bob.reply(invite, 180)
        await asyncio.sleep(1)
        [call] = (await ask(house, "calls"))["calls"]
        assert call["state"] == "ringing"
        assert call["targets"] == [{"uri": one.uri, "to": f"udp {one.host}:5060"} for one in (bob, cellar)]
        assert await ask(house, "calls", limit=0) == {"total": 1, "calls": []}


@simulated
async def test_what_strangers_wrote_is_listed_whole_up_to_a_bound() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)
        alice.ask("INVITE", from_=f"<sip:{'a' * 3_000}@{DOMAIN}>;tag=1", call_id="\u202e" * 400)
        bob.reply(await bob.hears("INVITE"), 180)
        await asyncio.sleep(0.1)
        [call] = (await ask(house, "calls"))["calls"]
        assert len(call["from"]) == 1_000
        assert call["call_id"] == "\u202e" * 400


@simulated
async def test_transactions_are_counted_and_on_request_listed() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)
        alice.ask("INVITE")
        await bob.hears("INVITE")
        told = await ask(house, "transactions", limit=1)
        assert told["total"] == 2
        assert told["states"] == [
            {"side": "client", "method": "INVITE", "state": "Calling", "count": 1},
            {"side": "server", "method": "INVITE", "state": "Proceeding", "count": 1},
        ]
        assert [(one["side"], one["peer"]) for one in told["transactions"]] == [("server", "udp 192.0.2.1:5060")]
        assert (await ask(house, "transactions", method="OPTIONS"))["total"] == 0


@simulated
async def test_registrations_are_found_by_address_contact_or_source() -> None:
    async with House() as house:
        for number in range(30):
            house.bind(f"user{number}", f"sip:line@192.0.2.{number}")
        house.bind("user7", "sip:cellar@192.0.2.200", 0.5)
        told = await ask(house, "registrations", limit=10)
        assert (told["total"], len(told["registrations"])) == (31, 10)
        told = await ask(house, "registrations", contains="cellar")
        assert [(one["aor"], one["q"], one["expires_in"]) for one in told["registrations"]] == [(f"sip:user7@{DOMAIN}", 0.5, 100_000)]
        for aor in (f"user7@{DOMAIN}", f"sip:user7@{DOMAIN}", f"SIPS:user7@{DOMAIN};x=y"):
            assert (await ask(house, "registrations", aor=aor))["total"] == 2
        assert (await ask(house, "registrations", aor=f"nobody@{DOMAIN}"))["total"] == 0
        with pytest.raises(RefusedError, match=r"not an address of a user of example\.com") as refused:
            await ask(house, "registrations", aor="user7@example.net")
        assert refused.value.args[1] == INVALID_PARAMS
        with pytest.raises(RefusedError, match="is no address such as"):
            await ask(house, "registrations", aor="user7@@")


@simulated
async def test_an_expired_binding_is_none() -> None:
    async with House() as house:
        location = house.server.location
        aor = f"sip:bob@{DOMAIN}"
        location.update(aor, [Binding(1, aor, "sip:bob@192.0.2.1", "", 1.0, location.clock() + 60, 60, "c", 1)], lambda _: None)
        await asyncio.sleep(60)
        assert len(location) == 1, "not yet swept away"
        assert (await ask(house, "registrations"))["total"] == 0
        with pytest.raises(RefusedError, match="has no registration"):
            await ask(house, "unregister", aor=aor)


@simulated
async def test_one_binding_or_all_are_removed_by_the_operators_word() -> None:
    async with House() as house:
        for line in (1, 2, 3):
            house.bind("bob", f"sip:bob@192.0.2.{line}")
        removed = (await ask(house, "unregister", aor=f"bob@{DOMAIN}", contact="sip:bob@192.0.2.2"))["removed"]
        assert [one["contact"] for one in removed] == ["sip:bob@192.0.2.2"]
        assert len(house.server.location.lookup(f"sip:bob@{DOMAIN}")) == 2
        assert len((await ask(house, "unregister", aor=f"bob@{DOMAIN}"))["removed"]) == 2
        assert not house.server.location.lookup(f"sip:bob@{DOMAIN}")
        with pytest.raises(RefusedError, match=f"bob@{DOMAIN} has no registration") as refused:
            await ask(house, "unregister", aor=f"bob@{DOMAIN}")
        assert refused.value.args[1] == REFUSED


@simulated
async def test_a_long_list_leaves_the_messages_their_turns() -> None:
    async with House(waits=False) as house:
        alice = await house.party("alice")
        for number in range(9_000):
            house.bind(f"user{number}", f"sip:line@192.0.2.{number % 200}")
        listing = asyncio.ensure_future(ask(house, "registrations", limit=0))
        alice.ask("OPTIONS", f"sip:{DOMAIN}")
        for _ in range(4):
            await asyncio.sleep(0)
        assert not listing.done(), "it is looked through some at a time"
        assert (await listing)["total"] == 9_000


@simulated
async def test_a_drain_refuses_what_is_new_and_lets_the_call_that_is_up_end() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)
        dialog = await house.call(alice, bob)
        assert await ask(house, "drain", stay=True) == {"under_way": 0}
        assert not house.server.leaving.is_set()
        await asyncio.sleep(5)
        status = await ask(house, "status")
        assert (status["state"], status["draining_for"]) == ("draining", 5.0)
        for method in ("INVITE", "OPTIONS", "REGISTER", "MESSAGE"):
            alice.ask(method, f"sip:{DOMAIN}" if method in ("OPTIONS", "REGISTER") else f"sip:bob@{DOMAIN}")
            refused = await alice.hears(f"503 {method}")
            assert 5 <= int(refused.headers.text("Retry-After")) <= 10
        bob.within("BYE", dialog)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")
        assert await ask(house, "resume") == {}
        assert (await ask(house, "status"))["draining_for"] is None
        await house.call(alice, bob)
        with pytest.raises(RefusedError, match="not draining"):
            await ask(house, "resume")


@simulated
async def test_a_drain_ends_when_the_call_that_rings_is_answered_and_not_before() -> None:
    async with House(waits=False) as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)
        alice.ask("INVITE")
        invite = await bob.hears("INVITE")
        assert await ask(house, "drain") == {"under_way": 1}
        assert house.server.leaving.is_set()
        finishing = asyncio.ensure_future(house.server.leave.finish())
        await asyncio.sleep(20)
        assert not finishing.done()
        bob.reply(invite, 200)
        began = asyncio.get_running_loop().time()
        assert await finishing
        assert asyncio.get_running_loop().time() - began < 1


@simulated
async def test_a_drain_takes_32_seconds_at_most_and_longer_for_calls_that_are_up_where_it_is_told_to() -> None:
    for seconds, config in ((32.0, DrainConfig()), (60.0, DrainConfig(seconds=10.0, calls_seconds=60.0))):
        async with House(waits=False, drain=config) as house:
            alice, bob = await house.party("alice"), await house.party("bob", q=1)
            alice.ask("INVITE")
            await bob.hears("INVITE")
            began = asyncio.get_running_loop().time()
            await house.server.drain()
            assert asyncio.get_running_loop().time() - began == pytest.approx(seconds, abs=0.1)


@simulated
async def test_resume_calls_back_a_server_that_was_about_to_end() -> None:
    async with House(drain=DrainConfig(calls_seconds=3_600.0)) as house:
        await ask(house, "drain")
        finishing = asyncio.ensure_future(house.server.leave.finish())
        await asyncio.sleep(100)
        await ask(house, "resume")
        assert await finishing is False
        assert not house.server.leaving.is_set()


@simulated
async def test_gateways_are_shown_with_what_is_wrong_with_them() -> None:
    trunks = ["sip:192.0.2.2", {"uri": "sip:192.0.2.3", "weight": 3, "priority": 1}]
    gateway = msgspec.convert({"pstn": {"trunks": trunks, "cool_down_seconds": 100, "probe_seconds": 0}}, dict[str, GatewayConfig])
    async with House(gateway=gateway, route=[RouteConfig(prefix="00", gateway="pstn")]) as house:
        alice, first = await house.party("alice"), await house.party("first")
        assert [(one["gateway"], one["uri"], one["priority"], one["weight"], one["state"]) for one in await trunks_of(house)] == [
            ("pstn", "sip:192.0.2.2", 0, 1, "up"),
            ("pstn", "sip:192.0.2.3", 1, 3, "up"),
        ]
        alice.ask("INVITE", f"sip:001@{DOMAIN}")
        first.reply(await first.hears("INVITE"), 503)
        await asyncio.sleep(1)
        one, other = await trunks_of(house)
        assert (one["state"], one["back_in"], other["state"]) == ("resting", 99, "up")


async def trunks_of(house: House) -> list[dict[str, Any]]:
    """What `gateways` says."""
    return list((await ask(house, "gateways"))["trunks"])


@simulated
async def test_the_log_level_is_shown_and_set() -> None:
    async with House(waits=False) as house:
        logger = logging.getLogger("ringback")
        before = logger.level
        try:
            assert await ask(house, "log-level", level="error") == {"level": "error"}
            assert await ask(house, "log-level") == {"level": "error"}
            with pytest.raises(RefusedError, match="Invalid enum value 'loud'"):
                await ask(house, "log-level", level="loud")
        finally:
            logger.setLevel(before)


@simulated
async def test_at_level_debug_every_refusal_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    async with House() as house:
        alice = await house.party("alice")
        for level, lines in (("info", []), ("debug", [f"MESSAGE sip:nobody@{DOMAIN} from udp 192.0.2.1:5060: 404 Not Found"])):
            caplog.set_level(level.upper(), "ringback")
            alice.ask("MESSAGE", f"sip:nobody@{DOMAIN}")
            await alice.hears("404 MESSAGE")
            assert [record.getMessage() for record in caplog.records if record.name == "ringback.server"] == lines


def test_a_new_method_is_a_function_and_a_line() -> None:
    for name, method in METHODS.items():
        assert method.name == name
        assert name.replace("-", "").isalpha()
