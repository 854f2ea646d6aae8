"""Taking leave: new requests are refused with 503 and Retry-After, what is under way is finished (RFC 3261 §21.5.4).

What belongs to a call that is up still passes: its dialog is proven by our Record-Route entry. A proxy does not know when calls end, so
it waits for them as long as it is told to.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.server.config import DrainConfig
    from ringback.server.core import ServerCore

# Seconds from the last final response to its ACK: T1, the round trip that every timer reckons with (§17.1.1.1).
_LAST_ACK = 0.5
_LOOK_EVERY = 0.05


class Drain:
    """Begins, ends before its time, or is over."""

    def __init__(self, core: ServerCore, config: DrainConfig, leaving: asyncio.Event) -> None:
        """`leaving` is set while the server shall end as soon as nothing is under way."""
        self.config = config
        self.leaving = leaving
        self._core = core
        self._resumed = asyncio.Event()
        self._began_at = 0.0

    def begin(self, *, stay: bool = False) -> None:
        """From now on what is new is refused; the server ends when the rest is done, unless it shall `stay`."""
        if not self._core.is_draining:
            self._core.is_draining = True
            self._resumed.clear()
            self._began_at = asyncio.get_running_loop().time()
        if not stay:
            self.leaving.set()

    def resume(self) -> None:
        """Everything is served again."""
        self._core.is_draining = False
        self.leaving.clear()
        self._resumed.set()

    @property
    def seconds(self) -> float | None:
        """How long it has lasted, None while there is none."""
        return asyncio.get_running_loop().time() - self._began_at if self._core.is_draining else None

    async def finish(self) -> bool:
        """Waits for what is under way, at most as long as configured, then for calls that are up; False where `resume` came between."""
        core, loop = self._core, asyncio.get_running_loop()
        end = self._began_at + self.config.seconds
        while core.is_draining and core.proxy.unanswered and loop.time() < end:  # noqa: ASYNC110 - looked at: no answered call has to tell
            await asyncio.sleep(_LOOK_EVERY)
        until = self._began_at + self.config.calls_seconds
        if any(transaction.method == "INVITE" for transaction in core.layer.servers.values()):
            # The ACK of the last 2xx passes through here as well, though no transaction waits for it.
            until = max(until, min(end, loop.time() + _LAST_ACK))
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._resumed.wait()
        return core.is_draining
