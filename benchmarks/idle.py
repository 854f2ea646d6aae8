"""Bytes per idle dialog of a user agent: an answered call whose coroutine waits, a subscription served. Nothing goes to any network.

    ./dev bench idle [COUNT]

The figure is the growth of the process's resident memory over COUNT of them (10,000), once their transactions have ended; the second one
is what Python's own allocator was asked for. A call's includes its coroutine and the descriptions in force, a subscription's its timer.
"""

import asyncio
import gc
import os
import subprocess
import sys
import tracemalloc
from typing import NoReturn

from benchmarks.memory import resident
from benchmarks.silent_server import Silence
from ringback import EventPackage, IncomingCall, UserAgent
from ringback.address import Flow
from ringback.message.parser import parse_datagram

KINDS = ("call", "subscription")
PEER = ("127.0.0.9", 5060)
OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
# 64*T1, after which no transaction of what was set up is left.
SETTLED = 33.0


def request(method: str, number: int, cseq: int, fields: str = "", body: str = "", to_tag: str = "") -> bytes:
    """A request of the peer's, one dialog for each number."""
    head = [
        f"{method} sip:service@127.0.0.1:5060 SIP/2.0",
        f"Via: SIP/2.0/UDP {PEER[0]}:{PEER[1]};branch=z9hG4bK{method}{number}",
        "Max-Forwards: 70",
        f"From: <sip:peer@127.0.0.9>;tag=p{number}",
        f"To: <sip:service@127.0.0.1>{';tag=' + to_tag if to_tag else ''}",
        f"Call-ID: {number}@127.0.0.9",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:peer@{PEER[0]}:{PEER[1]}>",
        f"{fields}Content-Length: {len(body)}",
    ]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


async def wait_for_the_end(call: IncomingCall) -> None:
    """What most calls do most of the time."""
    await call.answer()
    await call.ended()


class Peer:
    """Whoever sets up dialogs with the agent."""

    def __init__(self, agent: UserAgent, silence: Silence) -> None:
        self._agent = agent
        self._silence = silence

    def say(self, octets: bytes) -> list[bytes]:
        """Hands the agent a datagram as its socket would; gives what it says at once."""
        self._silence.sent.clear()
        stack = self._agent.core.stack
        stack.received(parse_datagram(octets), octets, Flow(self._agent.endpoints[0], PEER))
        stack.batch_ended()
        return self._silence.sent

    async def call(self, number: int) -> None:
        """One more call: INVITE, 200, ACK."""
        self.say(request("INVITE", number, 1, "Content-Type: application/sdp\r\n", OFFER))
        while not any(octets.startswith(b"SIP/2.0 200 ") for octets in self._silence.sent):  # noqa: ASYNC110 - turns of the loop for the coroutine
            await asyncio.sleep(0)
        tag = self._silence.sent[-1].partition(b">;tag=")[2].partition(b">;tag=")[2].partition(b"\r\n")[0].decode()
        self.say(request("ACK", number, 1, to_tag=tag))

    async def subscription(self, number: int) -> None:
        """One more subscription: SUBSCRIBE, 200, NOTIFY, 200."""
        self.say(request("SUBSCRIBE", number, 1, "Event: presence\r\nExpires: 86400\r\n"))
        notify = next(octets for octets in self._silence.sent if octets.startswith(b"NOTIFY "))
        lines = [line for line in notify.decode().split("\r\n") if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
        self.say(("\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0"]) + "\r\n\r\n").encode())


async def measure(kind: str, count: int, is_traced: bool) -> float:
    """Bytes per dialog: resident, or as tracemalloc counts them."""
    agent = UserAgent("sip:service@127.0.0.1", on_call=wait_for_the_end, listen=["udp://127.0.0.1:0"])
    await agent.open()
    package = EventPackage("presence", "text/plain", state=b"there", max_subscriptions=10 * count, max_expires=86_400)
    agent.serve_event(package)
    silence = Silence(agent.core.transports)
    agent.core.stack.attach(silence)
    peer = Peer(agent, silence)
    make = peer.call if kind == "call" else peer.subscription
    for number in range(1000):
        await make(number)  # caches fill and arenas are made before counting begins
    await _settle(agent)
    if is_traced:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0] if is_traced else resident()
    for number in range(1000, 1000 + count):
        await make(number)
    await _settle(agent)
    after = tracemalloc.get_traced_memory()[0] if is_traced else resident()
    assert len(agent.core.dialogs) == 1000 + count, len(agent.core.dialogs)
    return (after - before) / count


async def _settle(agent: UserAgent) -> None:
    """Lets every transaction end: 33 seconds pass for them at once."""
    agent.core.layer.advance(agent.core.loop.time() + SETTLED)
    agent.core.layer.take_outgoing()
    await asyncio.sleep(0)
    gc.collect()


async def _print(kind: str, count: int, is_traced: bool) -> NoReturn:
    print(await measure(kind, count, is_traced), flush=True)
    # Thousands of dialogs are not hung up on one by one: nobody would answer.
    os._exit(0)


def main(arguments: list[str]) -> int:
    """Prints the table."""
    if arguments and arguments[0] == "--one":
        asyncio.run(_print(arguments[1], int(arguments[2]), arguments[3] == "traced"))
    count = int(arguments[0]) if arguments else 10_000
    print(f"{'bytes each, of ' + format(count, ','):24} {'resident':>9} {'allocated':>9}")
    for kind in KINDS:
        print(f"{'idle ' + kind:24} {_apart(kind, count, 'resident'):9.0f} {_apart(kind, count, 'traced'):9.0f}")
    return 0


def _apart(kind: str, count: int, how: str) -> float:
    """Measures in a process of its own: one figure's leftovers are not the next one's."""
    command = [sys.executable, "-m", "benchmarks", "idle", "--one", kind, str(count), how]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(ran.stderr)
    return float(ran.stdout.rstrip().rpartition("\n")[2])
