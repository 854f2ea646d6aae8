"""Two Kamailios that a domain's SRV records name: the first is killed in the middle of a call's set-up, and the call goes to the second.

RFC 3263 §4.3 has a caller go on when the transport fails or nobody answers. A killed server's port says so by ICMP when the INVITE is
repeated, half a second after it was sent at first; one that is frozen says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from ringback import UserAgent
from ringback.transport.resolver import NameServers
from tests.interop.kamailio import MortalKamailio
from tests.interop.loopback import Calls, Loopback, beside, on_loopback, until
from tests.interop.ports import free_port
from tests.interop.server import RunningServer
from tests.interop.wire import DOMAIN
from tests.transport.resolver.nameserver import NameServer

FAR = "far.test"


class Far:
    """The domain at the other end: its two servers, and the one agent that both of them lead to."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.servers = []
        for number in (1, 2):
            (folder / str(number)).mkdir()
            self.servers.append(MortalKamailio(program, folder / str(number), "kamailio.cfg", next=self.port))

    def names(self) -> AbstractAsyncContextManager[NameServer]:
        """The name server of the domain."""
        first, second = self.servers
        zone = NameServer().add("one.far.test", "A", "127.0.0.1")
        zone.add(f"_sip._udp.{FAR}", "SRV", f"1 0 {first.port} one.far.test.", f"2 0 {second.port} one.far.test.")
        return zone.serving()


@pytest.fixture
def far(program: Callable[[str], str], tmp_path: Path) -> Iterator[Far]:
    """Both servers running."""
    found = Far(program("kamailio"), tmp_path)
    first, second = found.servers
    with first, second:
        yield found


async def call_through(loopback: Loopback, far: Far, alice: UserAgent, *, is_killed: bool) -> float:
    """A call of Alice's to the far domain whose first server dies, or falls silent; gives the seconds until the second has it."""
    first, second = far.servers
    loop = asyncio.get_running_loop()
    calls = Calls()
    await loopback.agent("bob", f"sip:bob@{FAR}", port=far.port, on_call=calls.take)
    first.freeze()
    call = alice.call(f"sip:bob@{FAR}")
    await call.place()
    begin = loop.time()
    if is_killed:
        # The INVITE lies in the socket of a server that will never read it.
        await asyncio.sleep(0.2)
        begin = loop.time()
        first.kill()
    taken = await calls.next()
    seconds = loop.time() - begin
    await call.answered()
    record_routes = taken.request.headers.text("Record-Route") or ""
    assert f":{second.port}" in record_routes
    assert f":{first.port}" not in record_routes
    await call.hang_up()
    await until(lambda: calls.ends, "the BYE has come")
    return seconds


@pytest.mark.parametrize(("is_killed", "at_most"), [(True, 1.5), (False, 2.5)])
def test_our_agent_goes_to_the_second_server(far: Far, is_killed: bool, at_most: float) -> None:
    async def scenario(loopback: Loopback) -> None:
        async with far.names() as names:
            alice = await loopback.agent("alice", failover_after=2.0)
            alice.core.resolver.turn_to(NameServers([names.address]), 2.0)
            assert await call_through(loopback, far, alice, is_killed=is_killed) < at_most
            # The next call does not even try the first.
            begin = asyncio.get_running_loop().time()
            async with alice.call(f"sip:bob@{FAR}"):
                assert asyncio.get_running_loop().time() - begin < 1.0

    on_loopback(scenario)


@pytest.mark.parametrize(("is_killed", "at_most"), [(True, 1.5), (False, 2.5)])
def test_our_proxy_goes_to_the_second_server(far: Far, tmp_path: Path, is_killed: bool, at_most: float) -> None:
    async def scenario(loopback: Loopback) -> None:
        async with far.names() as names:
            config = f'dns = {{nameservers = ["{names.address}"]}}\nrelay = {{allow = ["{FAR}"]}}\nproxy = {{failover_after = 2}}\n'
            server = RunningServer(tmp_path, config=config)
            await beside(server.__enter__)
            try:
                proxy = f"sip:127.0.0.1:{server.port}"
                alice = await loopback.agent("alice", f"sip:alice@{DOMAIN}", proxy=proxy)
                assert await call_through(loopback, far, alice, is_killed=is_killed) < at_most
            finally:
                await beside(lambda: server.__exit__(None, None, None))

    on_loopback(scenario)
