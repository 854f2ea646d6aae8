"""CPU per call of a user agent on loopback: answering SIPp's built-in caller, beside two other Python stacks, and calling SIPp's callee.

    ./dev bench agents [--rate N] [--calls N] [--rounds N] [--no-peers]

A call is INVITE 180 200 ACK BYE 200 without media. The peers, aiosipua 0.7 and sippy, are installed into an environment that is thrown
away afterwards. The runs alternate, each with a fresh process; the least of each counts, for noise only ever adds. Needs sipp (Debian:
sip-tester). The exit status is 1 where a call of ours failed.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.calls import QUIET, wait
from benchmarks.processes import LOOPBACK, cpu_seconds, free_port, start, stop, wait_until_answering

ANSWERERS = Path(__file__).with_name("answerers")
PEERS = ("aiosipua==0.7.*", "sippy")
GOAL = 350.0


class Run(NamedTuple):
    """What one run showed: CPU in µs per call, and calls that failed."""

    cpu: float
    failed: int


def environment(folder: Path) -> Path | None:
    """A Python that has the peers; None where they cannot be had."""
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=60, **QUIET)
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *PEERS], check=True, timeout=180, **QUIET)
    except (subprocess.SubprocessError, OSError):
        return None
    return folder / "bin" / "python"


def sipp(folder: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    """SIPp, one of its built-in scenarios."""
    command = ["sipp", *map(str, arguments), "-i", LOOPBACK, "-nostdin", "-nd", "-trace_stat", "-stf", "stat.csv", "-fd", "1"]
    return subprocess.Popen(command, cwd=folder, **QUIET)


def failures(folder: Path, calls: int) -> int:
    """How many of its calls SIPp does not count as successful."""
    rows = [line.split(";") for line in (folder / "stat.csv").read_text("latin-1").split("\n") if line]
    return calls - int(dict(zip(rows[0], rows[-1], strict=False))["SuccessfulCall(C)"])


def answering(python: Path, name: str, rate: int, calls: int) -> Run:
    """SIPp calls a user agent."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-bench-"))
    port = free_port()
    with (folder / "agent.log").open("wb") as log:
        agent = start([str(python), str(ANSWERERS / f"{name}_answerer.py"), str(port)], log)
    try:
        wait_until_answering(agent, port)
        time.sleep(0.5)
        cpu = cpu_seconds(agent.pid)
        wait(sipp(folder, "-sn", "uac", f"{LOOPBACK}:{port}", "-p", free_port(), "-r", rate, "-m", calls, "-d", 0), calls / rate + 40)
        return Run((cpu_seconds(agent.pid) - cpu) / calls * 1e6, failures(folder, calls))
    finally:
        stop(agent)
        shutil.rmtree(folder, ignore_errors=True)


def placing(rate: int, calls: int) -> Run:
    """A user agent of ours calls SIPp. Starting the interpreter is measured by a run of one call, and taken off."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-bench-"))
    callee = None

    def run(count: int) -> tuple[float, int]:
        caller = start(
            [sys.executable, str(ANSWERERS / "ringback_caller.py"), f"sip:service@{LOOPBACK}:{port}", str(rate), str(count)], log
        )
        used = 0.0
        until = time.monotonic() + count / rate + 60
        while caller.poll() is None and time.monotonic() < until:
            used = cpu_seconds(caller.pid) or used
            time.sleep(0.02)
        stop(caller)
        return used, caller.returncode

    try:
        port = free_port()
        callee = sipp(folder, "-sn", "uas", "-p", port)
        time.sleep(0.5)
        with (folder / "agent.log").open("wb") as log:
            (start_up, _), (used, failed) = run(1), run(calls)
        return Run((used - start_up) / calls * 1e6, failed)
    finally:
        stop(callee)
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Runs the rounds and prints the least of each."""
    parser = argparse.ArgumentParser(prog="./dev bench agents", description="CPU per call of user agents.")
    parser.add_argument("--rate", type=int, default=300, help="calls per second")
    parser.add_argument("--calls", type=int, default=3000, help="calls of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each")
    parser.add_argument("--no-peers", action="store_true", help="measure Ringback alone")
    chosen = parser.parse_args(arguments)
    if shutil.which("sipp") is None:
        print("bench: sipp is not installed (Debian: sip-tester)", file=sys.stderr)
        return 2
    throw_away = Path(tempfile.mkdtemp(prefix="ringback-peers-"))
    try:
        peers = None if chosen.no_peers else environment(throw_away)
        if peers is None:
            print("Ringback alone: compare these figures with nothing but another run on this machine.")
        best: dict[str, float] = {}
        failed = 0
        for _ in range(chosen.rounds):
            runs = {"ringback answers": answering(Path(sys.executable), "ringback", chosen.rate, chosen.calls)}
            if peers is not None:
                runs["aiosipua answers"] = answering(peers, "aiosipua", chosen.rate, chosen.calls)
                runs["sippy answers"] = answering(peers, "sippy", chosen.rate, chosen.calls)
            runs["ringback calls"] = placing(chosen.rate, chosen.calls)
            for name, run in runs.items():
                print(f"{name:17} {run.cpu:7.0f} µs CPU per call, {run.failed} failed", flush=True)
                best[name] = min(best.get(name, run.cpu), run.cpu)
                failed += run.failed if name.startswith("ringback") else 0
        print("least: " + ", ".join(f"{name} {cpu:.0f} µs" for name, cpu in best.items()) + f" (goal {GOAL:.0f} µs)")
        return 1 if failed else 0
    finally:
        shutil.rmtree(throw_away, ignore_errors=True)
