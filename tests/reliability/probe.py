"""A well-behaved stranger who asks OPTIONS over UDP all the time, and notes how long he ever waited."""

import threading
import time
from types import TracebackType
from typing import Self

from tests.interop.wire import Peer

INTERVAL = 0.01


class Probe:
    """Asks every 10 ms from an address of its own, as a context manager; `worst_gap` is the longest time without an answer, in seconds."""

    def __init__(self, server: tuple[str, int], host: str = "127.0.0.9") -> None:
        self.worst_gap = 0.0
        self.answers = 0
        self._peer = Peer(server, host)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stopping.wait(INTERVAL):
            self._peer.send(self._peer.options())
            data = self._peer.receive(INTERVAL)
            now = time.monotonic()
            self.worst_gap = max(self.worst_gap, now - last)
            if data is not None and data.startswith(b"SIP/2.0 200 "):
                self.answers += 1
                last = now

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()
        self._peer.close()
