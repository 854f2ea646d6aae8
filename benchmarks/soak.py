"""Calls for a while in one process, against SIPp's built-in callee: none may fail, nothing may grow, nothing may be left.

    ./dev bench soak [--rate N] [--calls N]

The process's memory is looked at once a second. After the first quarter of the calls, and the 32 seconds for which transactions outlive
them, it may differ by five per cent. The exit status is 1 where one of that does not hold. Needs sipp (Debian: sip-tester).
"""

import argparse
import asyncio
import gc
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.agents import sipp
from benchmarks.memory import resident
from benchmarks.processes import LOOPBACK, free_port, stop
from ringback import CallFailed, UserAgent

GROWTH = 0.05
# 64*T1, and what the last call takes besides.
SETTLED = 34.0


async def soak(rate: int, calls: int, port: int) -> bool:
    """Places the calls and prints what became of them; whether all is as it should be."""
    loop = asyncio.get_running_loop()
    failed = 0
    sizes: list[tuple[int, int]] = []
    async with UserAgent("sip:soak@127.0.0.1", listen=[f"udp://{LOOPBACK}:0"]) as agent:

        async def place() -> None:
            nonlocal failed
            try:
                async with agent.call(f"sip:service@{LOOPBACK}:{port}"):
                    await asyncio.sleep(0.1)
            except CallFailed:
                failed += 1

        running: set[asyncio.Task[None]] = set()
        begin = loop.time()
        for number in range(calls):
            await asyncio.sleep(max(begin + number / rate - loop.time(), 0))
            task = loop.create_task(place())
            running.add(task)
            task.add_done_callback(running.discard)
            if number % rate == 0:
                sizes.append((number, resident()))
        await asyncio.wait(running)
        sizes.append((calls, resident()))
        await asyncio.sleep(SETTLED)
        gc.collect()
        core = agent.core
        left = len(core.dialogs) + len(core.tasks) + len(core.layer.clients) + len(core.layer.servers)
        tasks = len(asyncio.all_tasks()) - 1
    # Transactions live 32 s beyond their call: the plateau is reached after so many.
    warm = [size for number, size in sizes if number >= max(calls // 4, int(SETTLED * rate) if calls > 2 * SETTLED * rate else 0)]
    growth = warm[-1] / warm[0] - 1
    print(f"{calls} calls at {rate}/s: {failed} failed; memory {warm[0] / 1e6:.1f} → {warm[-1] / 1e6:.1f} MB ({growth:+.1%}); "
          f"{left} dialogs, transactions and tasks of the agent left, {tasks} other tasks")  # fmt: skip
    return failed == 0 and abs(growth) <= GROWTH and left == 0 and tasks == 0


def main(arguments: list[str]) -> int:
    """Runs it once."""
    parser = argparse.ArgumentParser(prog="./dev bench soak", description="Calls for a while in one process.")
    parser.add_argument("--rate", type=int, default=50, help="calls per second")
    parser.add_argument("--calls", type=int, default=2000, help="calls in all")
    chosen = parser.parse_args(arguments)
    if shutil.which("sipp") is None:
        print("bench: sipp is not installed (Debian: sip-tester)", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="ringback-soak-"))
    port = free_port()
    callee = sipp(folder, "-sn", "uas", "-p", port)
    time.sleep(1)
    try:
        return 0 if asyncio.run(soak(chosen.rate, chosen.calls, port)) else 1
    finally:
        stop(callee)
        shutil.rmtree(folder, ignore_errors=True)
