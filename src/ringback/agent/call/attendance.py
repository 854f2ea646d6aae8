"""The program's coroutine for a call that comes in: begun with it, and never without an end for the caller (RFC 3261 §13.3.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine

from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.call.interruption import Interruptible
from ringback.agent.errors import CallEnded

OnCall = Callable[[IncomingCall], Awaitable[None]]
"""A program's way with an incoming call; returning hangs up, or declines what was not answered."""


async def attend(call: IncomingCall, on_call: OnCall) -> None:
    """Runs it; the end of the call raises `CallEnded` in it, and whatever becomes of it the caller gets an end.

    A call whose coroutine fails before the answer is refused with 500; the loop is told what it failed with.
    """
    try:
        awaitable = on_call(call)
        call.interruptible = Interruptible(awaitable if isinstance(awaitable, Coroutine) else _coroutine(awaitable))
        await call.interruptible
    except CallEnded:
        pass
    except Exception as error:  # noqa: BLE001 - whatever the program's own code raises
        if not call.is_answered and not call.is_over:
            await call.decline(500)
        call.core.loop.call_exception_handler({"message": "the coroutine of a call failed", "exception": error})
    finally:
        call.interruptible = None
        if not call.is_over:
            await call.hang_up()


async def _coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable
