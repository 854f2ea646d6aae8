"""An answering user agent on Ringback: 180, 200, BYE, by the coroutine API. `PORT` is its only argument."""

import asyncio
import sys

from ringback import IncomingCall, UserAgent


async def answer(call: IncomingCall) -> None:
    """180, 200, and whatever the caller then does."""
    await call.ring()
    await call.answer()
    await call.ended()


asyncio.run(UserAgent("sip:service@127.0.0.1", on_call=answer).run(f"udp://127.0.0.1:{sys.argv[1]}"))
