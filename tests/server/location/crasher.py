"""A program for test_crash.py: keeps a location service busy until it is killed, and says on its standard output what was answered.

Each line it reads is one life: `folder seed fault`. It forks, so that a life costs no start of an interpreter. The child registers,
refreshes and removes bindings at random on a loop of its own and writes, for each, one line before it asks (`?`) and one when it is told
that it is committed (`!`). `fault` says where it kills itself: `statement N` before or `opcode N` within the N-th step of SQLite,
`answer N` right after the N-th answer was written; or `never`, and the parent kills it.
"""

import asyncio
import os
import random
import signal
import sqlite3
import sys

from ringback.server.location.binding import Binding
from ringback.server.location.location import Location
from ringback.server.store import Store


def die() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


class Countdown:
    def __init__(self, kind: str, number: int) -> None:
        self.kind = kind
        self.left = number

    def step(self, kind: str) -> int:
        if kind == self.kind:
            self.left -= 1
            if self.left <= 0:
                die()
        return 0


def live(folder: str, seed: int, countdown: Countdown) -> None:
    chance = random.Random(seed)
    store = Store(folder)
    connect = store.connect

    def counted() -> sqlite3.Connection:
        connection = connect()
        connection.set_trace_callback(lambda _: countdown.step("statement"))
        connection.set_progress_handler(lambda: countdown.step("opcode"), 7)
        return connection

    store.connect = counted  # type: ignore[method-assign]

    async def run() -> None:
        loop = asyncio.get_running_loop()
        location = Location(store, loop=loop, interval=0.001)
        number = max((binding.cseq for bindings in location._by_aor.values() for binding in bindings), default=0)

        def answered(word: str, error: Exception | None) -> None:
            assert error is None
            os.write(1, f"! {word}\n".encode())
            countdown.step("answer")

        while True:
            for _ in range(chance.randrange(1, 8)):
                number += 1
                aor = f"sip:{chance.randrange(12)}@example.com"
                before = location.staged(aor)
                if before and chance.random() < 0.4:
                    bindings: tuple[Binding, ...] = ()
                    word = f"{aor} gone"
                else:
                    row = before[0].row if before else location.new_row()
                    bindings = (Binding(row, aor, f"sip:x@192.0.2.1:{number}", "", 1.0, loop.time() + 3600, 3600, "c", number),)
                    word = f"{aor} {number}"
                os.write(1, f"? {word}\n".encode())
                location.update(aor, bindings, lambda error, word=word: answered(word, error))  # type: ignore[misc]
            await asyncio.sleep(0)

    asyncio.run(run())


def main() -> None:
    for line in sys.stdin:
        folder, seed, kind, number = line.split()
        child = os.fork()
        if child == 0:
            try:
                live(folder, int(seed), Countdown(kind, int(number)))
            finally:
                os._exit(70)
        os.write(1, f"pid {child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"end {os.waitstatus_to_exitcode(status)}\n".encode())


main()
