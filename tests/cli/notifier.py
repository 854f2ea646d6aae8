"""A phone whose presence can be watched, in a thread of its own with a loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ringback import UserAgent
from ringback.agent.event.event_package import EventPackage, Standing
from ringback.agent.inspection import Refusal
from ringback.message.message import Request
from tests.cli.serving import PATIENCE


class Watched:
    """It serves "presence"; every SUBSCRIBE gets this answer, and this state."""

    def __init__(self, verdict: Standing | Refusal, state: bytes) -> None:
        self._package = EventPackage("presence", "application/pidf+xml", authorize=self._authorize, state=state)
        self._verdict = verdict
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._done: asyncio.Event
        self.requests: list[Request] = []
        self.port = 0
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),))

    def _authorize(self, request: Request) -> Standing | Refusal:
        self.requests.append(request)
        return self._verdict

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        agent = UserAgent("sip:bob@example.test", listen=["udp://127.0.0.1:0"])
        self.notifier = agent.serve_event(self._package)
        async with agent:
            self.port = agent.endpoints[0].port
            self._ready.set()
            await self._done.wait()

    def begin(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    def end(self) -> None:
        """The phone is put away: who watches is told that it ends."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._done.set)

    def join(self) -> None:
        self._thread.join(PATIENCE)


@contextmanager
def watched(verdict: Standing | Refusal = "active", state: bytes = b"<presence/>\n") -> Iterator[Watched]:
    phone = Watched(verdict, state)
    phone.begin()
    try:
        yield phone
    finally:
        phone.end()
        phone.join()
