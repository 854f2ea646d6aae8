"""Bytes per held INVITE and per binding in a real server: registered callees, callers that hear it ring, nothing sent to any network.

    ./dev bench memory [COUNT]

A held INVITE is what a proxied call costs while it rings: server transaction, client transaction, response context, timers. The figure
is the growth of the process's resident memory over COUNT of them (20,000); the second is what Python's own allocator was asked for.
"""

import asyncio
import gc
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from benchmarks import messages
from benchmarks.silent_server import CALLEE, PORT, Silence, feed, silent_server
from ringback.server.server import Server

GOALS = {"held INVITE": 4096, "binding": 1024}


def resident() -> int:
    """Resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def address(number: int) -> tuple[str, int]:
    """A loopback address of its own for each caller: as many sources as there are calls."""
    return f"127.{1 + number // 62_500 % 250}.{number // 250 % 250}.{1 + number % 250}", PORT


def register(server: Server, number: int) -> None:
    """One more user with one binding."""
    host, port = address(number)
    feed(server, messages.register(number, f"{host}:{port}"), (host, port))
    if number % 100 == 0:
        # The REGISTER's own transaction lives 32 s longer than its answer and is no part of the binding.
        server.core.layer.advance(asyncio.get_running_loop().time() + 3600)
        server.core.layer.take_outgoing()


def ring(server: Server, silence: Silence, number: int) -> None:
    """One more call: INVITE in, the forwarded INVITE out, 180 back."""
    host, port = address(number)
    silence.sent.clear()
    feed(server, messages.invite(number, f"{host}:{port}"), (host, port))
    forwarded = next(data for data in silence.sent if data.startswith(b"INVITE "))
    silence.sent.clear()
    feed(server, messages.response(forwarded, "180 Ringing"), CALLEE)
    assert any(data.startswith(b"SIP/2.0 180 ") for data in silence.sent), silence.sent
    silence.sent.clear()


async def measure(what: str, count: int, is_traced: bool) -> float:
    """Bytes per object: resident, or as tracemalloc counts them."""
    async with silent_server() as (server, silence):
        make: Callable[[int], None] = (
            (lambda number: register(server, number)) if what == "binding" else (lambda number: ring(server, silence, number))
        )
        for number in range(1, 1001):
            make(number)  # caches fill and arenas are made before counting begins
        silence.sent.clear()
        gc.collect()
        if is_traced:
            tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0] if is_traced else resident()
        for number in range(1001, 1001 + count):
            make(number)
            silence.sent.clear()
        gc.collect()
        after = tracemalloc.get_traced_memory()[0] if is_traced else resident()
        held = len(server.core.layer.servers) if what == "held INVITE" else len(server.location)
        assert held >= count, f"{held} of {count} are held: {silence.sent[-1:]}"
        return (after - before) / count


def main(arguments: list[str]) -> int:
    """Prints the table; the exit status is 1 where a goal is missed."""
    if arguments and arguments[0] == "--one":
        print(asyncio.run(measure(arguments[1], int(arguments[2]), arguments[3] == "traced")))
        return 0
    count = int(arguments[0]) if arguments else 20_000
    status = 0
    print(f"{'bytes each, of ' + format(count, ','):24} {'resident':>9} {'allocated':>9}     goal")
    for what, goal in GOALS.items():
        resident_bytes, allocated = _apart(what, count, "resident"), _apart(what, count, "traced")
        is_met = max(resident_bytes, allocated) <= goal
        print(f"{what:24} {resident_bytes:9.0f} {allocated:9.0f} ≤ {goal:6}  {'met' if is_met else 'MISSED'}")
        status = status or int(not is_met)
    return status


def _apart(what: str, count: int, how: str) -> float:
    """Measures in a process of its own: one figure's leftovers are not the next one's."""
    command = [sys.executable, "-m", "benchmarks", "memory", "--one", what, str(count), how]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(ran.stderr)
    return float(ran.stdout.rstrip().rpartition("\n")[2])
