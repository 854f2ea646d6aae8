"""Name servers asked on loopback, and the system's own ways of naming a host."""

from __future__ import annotations

import asyncio

import dns.rcode
import pytest

from ringback.address import Endpoint, Target
from ringback.transport.resolver import NameServers, Resolver
from ringback.transport.resolver.nameservers import nameserver
from tests.transport.resolver.asking import resolve
from tests.transport.resolver.behaviours import ONE, TWO, good, says, silence
from tests.transport.resolver.nameserver import NameServer

SPOKEN = [Endpoint("UDP", "127.0.0.1", 5060)]
BOTH = [Target("UDP", ONE, 5070), Target("UDP", TWO, 5060)]


def test_the_next_name_server_is_asked_where_one_is_lame_or_silent() -> None:
    async def main() -> None:
        lame, silent, fine = good(), good(), good()
        lame.behaviour = says(dns.rcode.REFUSED)
        silent.behaviour = silence
        async with lame.serving(), silent.serving(), fine.serving():
            resolver = Resolver(NameServers([lame.address, silent.address, fine.address], 0.1, 1), patience=2.0)
            resolver.speak(SPOKEN)
            assert await resolve(resolver, "sip:x.test") == BOTH
            assert lame.asked
            assert silent.asked
            resolver.close()

    asyncio.run(main())


def test_nobody_there() -> None:
    async def main() -> None:
        resolver = Resolver(NameServers(["127.0.0.1:9"], 0.1, 1), patience=0.5)
        assert await resolve(resolver, "sip:x.test") == []
        resolver.close()

    asyncio.run(main())


def test_a_resolver_is_closed_while_it_asks() -> None:
    async def main() -> None:
        server = good()
        server.behaviour = silence
        async with server.serving():
            resolver = Resolver(NameServers([server.address], 5.0, 1))
            resolver.ask("sip:x.test", lambda _: pytest.fail("closed"))
            await asyncio.sleep(0.05)
            assert server.asked
            resolver.close()
            await asyncio.sleep(0.05)

    asyncio.run(main())


def test_hosts_of_the_system_and_localhost_need_no_name_server() -> None:
    async def main() -> None:
        server = NameServer()
        async with server.serving():
            resolver = Resolver(NameServers([server.address], 0.1, 1))
            resolver.speak([Endpoint("UDP", "127.0.0.1", 5060)])
            assert await resolve(resolver, "sip:localhost:5080") == [Target("UDP", "127.0.0.1", 5080)]
            assert server.asked == []
            resolver.close()

    asyncio.run(main())


def test_the_dns_leads_nobody_on_the_network_to_his_own_machine() -> None:
    """DNS rebinding; what /etc/hosts or `localhost` says is this machine's own word."""

    async def main() -> None:
        server = NameServer().add("x.test", "A", "127.0.0.1", "169.254.169.254", "192.0.2.1")
        async with server.serving():
            resolver = Resolver(NameServers([server.address], 0.2, 1))
            resolver.speak([Endpoint("UDP", "127.0.0.1", 5060), Endpoint("UDP", "192.0.2.200", 5060)])
            assert await resolve(resolver, "sip:x.test:22") == [Target("UDP", "192.0.2.1", 22)]
            assert await resolve(resolver, "sip:localhost:5080") == [Target("UDP", "127.0.0.1", 5080)]
            resolver.close()

    asyncio.run(main())


def test_both_families_where_both_are_spoken() -> None:
    async def main() -> None:
        server = NameServer().add("x.test", "AAAA", "::1").add("x.test", "A", "127.0.0.1")
        async with server.serving():
            resolver = Resolver(NameServers([server.address], 0.2, 1))
            resolver.speak([Endpoint("UDP", "127.0.0.1", 5060), Endpoint("UDP", "::1", 5060)])
            found = await resolve(resolver, "sip:x.test:5060")
            assert sorted(target.host for target in found) == ["127.0.0.1", "::1"]
            resolver.speak([Endpoint("UDP", "::1", 5060)])
            assert await resolve(resolver, "sip:x.test:5060") == [Target("UDP", "::1", 5060)]
            resolver.close()

    asyncio.run(main())


def test_the_ttl_counts() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = good()
        server.ttl = 7
        async with server.serving():
            resolver = Resolver(NameServers([server.address], 0.2, 1))
            resolver.speak(SPOKEN)
            assert await resolve(resolver, "sip:x.test") == BOTH
            assert resolver.known("sip:x.test", loop.time() + 6) == BOTH
            assert resolver.known("sip:x.test", loop.time() + 8) is None
            resolver.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", "192.0.2.53:53"),
        ("127.0.0.1:5353", "127.0.0.1:5353"),
        ("::1", "[::1]:53"),
        ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ("[::1]", "[::1]:53"),
    ],
)
def test_how_a_name_server_is_written(text: str, server: str) -> None:
    assert nameserver(text) == server


@pytest.mark.parametrize(
    "text", ["", "dns.example", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:53:53", "[::1]:x", "1.1", ":53"]
)
def test_what_is_no_name_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:5353"):
        nameserver(text)
