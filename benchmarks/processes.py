"""Server processes under measurement: starting, asking the kernel what they used, stopping."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A UDP port of the loopback that nobody holds now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def with_children(pid: int) -> Iterator[int]:
    """A process and every process below it."""
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from with_children(int(child))


def cpu_seconds(pid: int) -> float:
    """CPU time, user and system, of a process and those below it, from the scheduler's own nanoseconds."""
    total = 0
    for one in with_children(pid):
        for thread in Path(f"/proc/{one}/task").glob("*/schedstat"):
            try:
                total += int(thread.read_text().split()[0])
            except OSError:
                continue
    return total / 1e9


def memory_kb(pid: int) -> int:
    """Proportional set size in kB: memory shared by several processes counts once."""
    total = 0
    for one in with_children(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().split("\n")
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def start(command: list[str], log: IO[bytes]) -> "subprocess.Popen[Any]":
    """Starts a server with its output in `log`."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def stop(process: "subprocess.Popen[Any] | None") -> None:
    """Asks it to end, and ends it where it does not."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        for pid in reversed(list(with_children(process.pid))):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait(5)


def wait_until_answering(process: "subprocess.Popen[Any]", port: int, seconds: float = 20.0) -> None:
    """Sends OPTIONS until any answer comes. Raises RuntimeError where none does, or the process ends."""
    until = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        probe.settimeout(0.2)
        ours = f"{LOOPBACK}:{probe.getsockname()[1]}"
        number = 0
        while time.monotonic() < until:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with status {process.returncode}")
            number += 1
            head = [
                "OPTIONS sip:example.test SIP/2.0",
                f"Via: SIP/2.0/UDP {ours};branch=z9hG4bK-ready-{number}",
                "Max-Forwards: 70",
                f"From: <sip:bench@example.test>;tag={number}",
                "To: <sip:example.test>",
                f"Call-ID: ready-{number}@{ours}",
                f"CSeq: {number} OPTIONS",
                "Content-Length: 0",
            ]
            probe.sendto(("\r\n".join(head) + "\r\n\r\n").encode(), (LOOPBACK, port))
            try:
                probe.recv(65_535)
                return
            except (TimeoutError, ConnectionError):
                time.sleep(0.05)
    raise RuntimeError("the server does not answer OPTIONS")
