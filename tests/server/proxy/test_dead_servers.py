"""A13: one of two servers is dead; how soon the other has the request, and how long the dead one is left alone (RFC 3263 §4.3)."""

import asyncio

import pytest

from ringback.server.config import RelayConfig
from ringback.server.proxy.routing import Forward
from ringback.testing import Network
from tests.server.party import House, Party, simulated
from tests.server.proxy.deciding import answers, decide

DEAD = "192.0.2.66"


async def one_alive(house: House, *, transport: str = "udp") -> tuple[Party, Party]:
    """A caller, and the server that is alive: the second of its name."""
    alice, alive = await house.party("alice"), await house.party("alive")
    house.names["gateway.example"] = [DEAD, alive.host]
    decide(house, Forward(f"sip:+1@gateway.example;transport={transport}"))
    return alice, alive


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@pytest.mark.parametrize(("transport", "how"), [("udp", "unreachable"), ("tcp", "refused"), ("udp", "silent")])
@simulated
async def test_the_living_one_has_the_request_in_time(method: str, transport: str, how: str) -> None:
    async with House(Network(reports_unreachable=how == "unreachable")) as house:
        if how == "refused":
            nobody = Party(house.network, "nobody", DEAD)
            house.parties.append(nobody)
        alice, alive = await one_alive(house, transport=transport)
        alice.ask(method)
        await answers(alive, method)
        assert alive.heard[-1].time <= (4.1 if how == "silent" else 1)
        assert alive.heard[-1].flow.endpoint.transport == transport.upper()
        await asyncio.sleep(1)
        assert alice.kinds()[-1] == f"200 {method}"


@simulated
async def test_the_dead_one_is_left_alone_for_half_a_minute() -> None:
    async with House(Network()) as house:
        alice, alive = await one_alive(house)
        waits = []
        for pause in (0, 1, 20, 10):
            await asyncio.sleep(pause)
            began = asyncio.get_running_loop().time()
            alice.ask()
            await answers(alive)
            waits.append(alive.heard[-1].time - began)
            await asyncio.sleep(0.1)
        assert waits == pytest.approx([4, 0, 0, 4], abs=0.1)


@pytest.mark.parametrize("reports", [True, False])
@simulated
async def test_within_a_dialog_too(reports: bool) -> None:
    """The callee's name has two addresses; his phone moves from one to the other."""
    async with House(Network(reports_unreachable=reports), relay=RelayConfig(allow=["phone.example"])) as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob)
        house.names["phone.example"] = [DEAD, bob.host]
        dialog.ok.headers.set("Contact", "<sip:bob@phone.example>")
        began = asyncio.get_running_loop().time()
        bye = alice.within("BYE", dialog)
        heard = await bob.hears("BYE")
        assert bob.heard[-1].time - began <= (1 if reports else 4.1)
        bob.reply(heard, 200)
        await asyncio.sleep(1)
        assert alice.kinds()[-1] == "200 BYE"
        # A branch of its own for each attempt, and none of them the caller's.
        branches = {
            passed.octets.partition(b"branch=")[2].partition(b"\r\n")[0] for passed in house.sent if passed.octets.startswith(b"BYE")
        }
        assert len(branches) == 2
        assert bye.via.branch.encode() not in branches
