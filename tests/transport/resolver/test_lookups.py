"""What was looked up, and who waits for it."""

from __future__ import annotations

import asyncio

from ringback.testing import run
from ringback.transport.resolver.lookups import MOST_REMEMBERED, Found, Lookups


def test_a_fault_of_ours_is_reported_and_leaves_nobody_waiting() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        faults: list[object] = []
        loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
        values = [1]

        async def look(key: str) -> Found[int]:
            return Found(values.pop(), 10.0, False)

        lookups = Lookups(look, 0)
        heard: list[int] = []
        for _ in range(2):
            lookups.ask("key", heard.append)
            await asyncio.sleep(1)
            lookups.forget()
        # What was known stands in for what could not be looked up.
        assert heard == [1, 1]
        lookups.ask("other", heard.append)
        await asyncio.sleep(1)
        assert heard == [1, 1, 0]
        assert [type(fault) for fault in faults] == [IndexError, IndexError]

    run(main())


def test_memory_is_bounded() -> None:
    async def main() -> None:
        async def look(key: int) -> Found[int]:
            return Found(key, 3600.0, False)

        lookups = Lookups(look, -1)
        heard: list[int] = []
        for begin in range(0, MOST_REMEMBERED + 500, 500):
            for key in range(begin, begin + 500):
                lookups.ask(key, heard.append)
            await asyncio.sleep(0.1)
        assert len(heard) == MOST_REMEMBERED + 500
        assert -1 not in heard
        now = asyncio.get_running_loop().time()
        known = sum(lookups.known(key, now) is not None for key in range(MOST_REMEMBERED + 500))
        assert known == 500

    run(main())
