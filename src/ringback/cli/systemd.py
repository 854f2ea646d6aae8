"""What systemd is told by a service of Type=notify (sd_notify(3)): that it is ready, reads again, ends, is alive."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress

READY = "READY=1\nSTATUS=serving"
STOPPING = "STOPPING=1\nSTATUS=draining"
WATCHDOG = "WATCHDOG=1"


def notify(state: str) -> None:
    """Tells a state; does nothing where systemd did not start this program, or does not listen any more."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    # An abstract address begins with NUL; in the environment "@" stands for it.
    address = "\0" + place[1:] if place.startswith("@") else place
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.sendto(state.encode(), address)


def reloading() -> str:
    """The state of a service that reads its configuration again; READY follows."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def keep_alive() -> None:
    """Tells the watchdog from now on that the loop runs, twice as often as it asks for, where there is one."""
    wanted = os.environ.get("WATCHDOG_USEC", "")
    if wanted.isdecimal() and int(wanted) and os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
        _tick(asyncio.get_running_loop(), int(wanted) / 2_000_000)


def _tick(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    notify(WATCHDOG)
    loop.call_later(seconds, _tick, loop, seconds)
