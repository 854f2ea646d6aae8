"""A calling user agent on Ringback: INVITE, ACK and BYE by the coroutine API. Arguments: URI, calls per second, calls."""

import asyncio
import sys

from ringback import CallFailed, UserAgent


async def main(uri: str, rate: int, calls: int) -> int:
    """Places the calls at their times; gives how many failed."""
    failed = 0
    async with UserAgent("sip:caller@127.0.0.1", listen=["udp://127.0.0.1:0"]) as agent:

        async def place() -> None:
            nonlocal failed
            try:
                async with agent.call(uri):
                    pass
            except CallFailed:
                failed += 1

        loop = asyncio.get_running_loop()
        begin = loop.time()
        placed: list[asyncio.Task[None]] = []
        # A hundred times a second the calls that are due, as SIPp does it.
        while len(placed) < calls:
            due = min(int((loop.time() - begin) * rate) + 1, calls)
            placed += [loop.create_task(place()) for _ in range(due - len(placed))]
            await asyncio.sleep(0.01)
        await asyncio.wait(placed)
    return failed


sys.exit(min(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))), 125))
