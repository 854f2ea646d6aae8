"""The DNS of a simulated loop."""

from __future__ import annotations

import asyncio

import pytest

from ringback.testing import Names, Naptr, SimulatedTimeLoop, Srv, run
from ringback.transport.resolver.records import Answer, UnansweredError

BOTH = frozenset((4, 6))


def test_what_was_added_exists_until_it_is_removed() -> None:
    async def main() -> None:
        names = Names()
        names.add("example.com", Naptr(1, 2, "s", "SIP+D2U", "", "x"), Srv(1, 2, 3, "y"), "192.0.2.1", "2001:db8::1")
        assert (await names.naptr("example.com")).records == (Naptr(1, 2, "s", "SIP+D2U", "", "x"),)
        assert await names.srv("example.com") == Answer((Srv(1, 2, 3, "y"),), 300.0)
        assert (await names.addresses("example.com", BOTH)).records == ("192.0.2.1", "2001:db8::1")
        assert (await names.addresses("example.com", frozenset((6,)))).records == ("2001:db8::1",)
        names.remove("example.com")
        assert await names.srv("example.com") == Answer(())
        assert names.asked == ["NAPTR example.com", "SRV example.com", *["A example.com"] * 2, "SRV example.com"]

    run(main())


def test_answers_take_their_time_or_never_come() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedTimeLoop)
        loop.names.delay = 2.0
        await loop.names.srv("example.com")
        assert loop.time() == 2.0
        loop.names.silent.add("silent.example")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await loop.names.srv("silent.example")
        loop.names.broken.add("broken.example")
        with pytest.raises(UnansweredError):
            await loop.names.addresses("broken.example", BOTH)

    run(main())


def test_a_loop_that_was_given_lookups_of_its_own_uses_them_for_hosts() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedTimeLoop)
        assert (await loop.names.addresses("localhost", BOTH)).records == ()

        async def lookup(name: str, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
            if name != "bob.example":
                raise OSError("no such host")
            return [(2, 2, 17, "", ("192.0.2.7", 0))]

        loop.getaddrinfo = lookup  # type: ignore[method-assign,assignment]
        assert (await loop.names.addresses("bob.example", BOTH)).records == ("192.0.2.7",)
        assert (await loop.names.addresses("ann.example", BOTH)).records == ()

    run(main())
