"""Microseconds of the whole server for one call, without the kernel: INVITE 100 180 200 ACK BYE 200 through registrar, location and proxy.

    ./dev bench proxy [--stateless] [--profile [COUNT]]

Every message comes in as octets and leaves as octets; only sockets are missing. `--stateless` has the server keep nothing of the call,
`--profile` says where the time goes.
"""

import asyncio
import cProfile
import itertools
import pstats
import sys

from benchmarks import messages
from benchmarks.clock import microseconds, report
from benchmarks.silent_server import CALLEE, Silence, feed, silent_server
from ringback.message.parser import parse_datagram
from ringback.server.config.domain import Mode
from ringback.server.server import Server

CALLER = ("127.0.0.1", 5070)
REAL_SECONDS_PER_CALL = 0.001


class Calls:
    """One call after the other through one server; keeps the octets of the last."""

    def __init__(self, server: Server, silence: Silence) -> None:
        self._server = server
        self._silence = silence
        self._numbers = itertools.count(1)
        self.octets: list[bytes] = []

    def _pass(self, data: bytes, remote: tuple[str, int], start: bytes) -> bytes:
        """Feeds one message and gives the one that begins with `start` of those that leave."""
        sent = self._silence.sent
        sent.clear()
        feed(self._server, data, remote)
        self.octets.append(data)
        return next(out for out in sent if out.startswith(start))

    def run(self) -> None:
        """One call."""
        self.octets.clear()
        number = next(self._numbers)
        invite = messages.invite(number, f"{CALLER[0]}:{CALLER[1]}")
        forwarded = self._pass(invite, CALLER, b"INVITE ")
        self._pass(messages.response(forwarded, "180 Ringing"), CALLEE, b"SIP/2.0 180 ")
        answered = self._pass(messages.response(forwarded, "200 OK"), CALLEE, b"SIP/2.0 200 ")
        self._pass(messages.in_dialog(invite, answered, "ACK", 1), CALLER, b"ACK ")
        goodbye = self._pass(messages.in_dialog(invite, answered, "BYE", 2), CALLER, b"BYE ")
        self._pass(messages.response(goodbye, "200 OK"), CALLEE, b"SIP/2.0 200 ")
        if number % 500 == 0:
            # As if a call came each millisecond: the timers of the ended ones fire.
            self._server.core.layer.advance(asyncio.get_running_loop().time() + number * REAL_SECONDS_PER_CALL)
            self._silence.sent.clear()


async def measure(mode: Mode, profiled: int) -> None:
    """Prints the table, or the profile of that many calls."""
    async with silent_server(mode) as (server, silence):
        calls = Calls(server, silence)
        calls.run()
        octets = list(calls.octets)
        if profiled:
            profile = cProfile.Profile()
            profile.enable()
            for _ in range(profiled):
                calls.run()
            profile.disable()
            pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(40)
            return
        parse = microseconds(lambda: [parse_datagram(data) for data in octets])
        whole = microseconds(calls.run)
        peers = microseconds(lambda: _peers(octets))
        rows = [("parse the six messages that come in", parse), ("the call", whole - peers)]
        report(rows, parse, "parse")


def _peers(octets: list[bytes]) -> None:
    """What the two phones of this benchmark cost to imitate: subtracted."""
    invite = messages.invite(1, f"{CALLER[0]}:{CALLER[1]}")
    messages.response(octets[0], "180 Ringing")
    answered = messages.response(octets[0], "200 OK")
    messages.in_dialog(invite, answered, "ACK", 1)
    goodbye = messages.in_dialog(invite, answered, "BYE", 2)
    messages.response(goodbye, "200 OK")


def main(arguments: list[str]) -> int:
    """The table, or with `--profile [COUNT]` where its time goes."""
    mode: Mode = "stateless" if "--stateless" in arguments else "stateful"
    profiled = 0
    if "--profile" in arguments:
        count = arguments[arguments.index("--profile") + 1 :][:1]
        profiled = int(count[0]) if count and count[0].isdigit() else 2000
    asyncio.run(measure(mode, profiled))
    return 0
