"""An answered call as the commands have it: it stands until somebody hangs up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.cli.duration import clock
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.call.call import Call
    from ringback.cli.live_state import LiveState
    from ringback.message.fields.name_addr import NameAddr


def party(call: Call) -> str:
    """The other side, fit to be shown: its name, where it says one, and its URI."""
    return shown(call.remote)


def shown(address: NameAddr) -> str:
    """A name and a URI, or the URI alone, fit to be shown."""
    uri = printable(address.uri_text)
    return f"{printable(address.display_name)} <{uri}>" if address.display_name else uri


async def stay(call: Call, state: LiveState, hang_up_after: float | None, **fields: str) -> None:
    """Stays in the call until it ends or the time is up, or hangs up when it is cancelled; says how long it was and who ended it."""
    from ringback.cli.agent_run import hang_up

    other = party(call)
    state.tell("answered", f"in call with {other}", "green", **fields)
    state.show(call, f"in call with {other}; Ctrl-C hangs up")
    try:
        async with asyncio.timeout(hang_up_after):
            await call.ended()
    except TimeoutError:
        pass
    finally:
        seconds = state.drop(call)
        try:
            # Also where Ctrl-C has ended it, whose way out this is.
            await hang_up(call)
        finally:
            line = f"call with {other} ended after {clock(seconds)}: {printable(call.reason or '')}"
            state.tell("ended", line, seconds=round(seconds, 3), why=call.reason, **fields)
