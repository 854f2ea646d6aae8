"""The pump between transports, the transaction layer and its user."""

from __future__ import annotations

import asyncio
from typing import Any

from ringback.address import Endpoint, Flow, Target
from ringback.message.derive import response_to
from ringback.message.message import Request
from ringback.message.parser import Malformed, parse_datagram
from ringback.stack import LARGEST_UDP_REQUEST, Stack
from ringback.transaction.events import Event, RequestReceived, ResponseReceived, TransactionTimedOut, TransportFailed
from ringback.transaction.layer import TransactionLayer
from tests.server.party import simulated

UDP = Endpoint("UDP", "192.0.2.1", 5060)
TCP = Endpoint("TCP", "192.0.2.1", 5060)
PEER = ("192.0.2.2", 5060)


class Wires:
    """Stands for transports: keeps what is sent."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.endpoints = list(endpoints)
        self.sent: list[tuple[bytes, Flow]] = []
        self.closed: set[int] = set()

    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None:
        for endpoint in self.endpoints:
            if endpoint.transport == target.transport and ":" not in target.host and target.host[0].isdigit():
                return Flow(endpoint, (target.host, target.port), 7 if endpoint.is_reliable else 0)
        return None

    def is_open(self, flow: Flow) -> bool:
        return flow.connection not in self.closed

    def send(self, data: bytes, flow: Flow) -> None:
        self.sent.append((data, flow))

    def starts(self) -> list[str]:
        """First words of what was sent since the last look."""
        starts = [data.split(b" SIP/2.0\r\n")[0].split(b"\r\n")[0].decode() for data, _ in self.sent]
        self.sent.clear()
        return starts


class Core:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.malformed_seen: list[Malformed] = []
        self.advanced: list[float] = []
        self.deadline: float | None = None
        self.fails = False

    def receive(self, event: Event, now: float) -> None:
        self.events.append(event)
        if self.fails:
            raise RuntimeError("a fault of ours")

    def malformed(self, malformed: Malformed, flow: Flow, now: float) -> None:
        self.malformed_seen.append(malformed)

    def advance(self, now: float) -> None:
        self.advanced.append(now)
        if self.deadline is not None and self.deadline <= now:
            self.deadline = None

    def next_deadline(self) -> float | None:
        return self.deadline


def made(*endpoints: Endpoint) -> tuple[Stack, Core, Wires]:
    core, wires = Core(), Wires(*(endpoints or (UDP, TCP)))
    stack = Stack(core, TransactionLayer())
    stack.attach(wires)
    return stack, core, wires


def request(method: str = "OPTIONS", branch: str = "z9hG4bKa", body: str = "", *, via: bool = True) -> Request:
    text = (
        f"{method} sip:bob@192.0.2.2 SIP/2.0\r\n{f'Via: SIP/2.0/UDP 192.0.2.2:5060;branch={branch}' if via else 'X: y'}\r\n"
        f"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    if not via:
        headers = [tuple(line.split(": ", 1)) for line in text.split("\r\n")[2:6]]
        return Request(method, "sip:bob@192.0.2.2", headers, body.encode())  # type: ignore[arg-type]
    parsed = parse_datagram(text.encode())
    assert isinstance(parsed, Request)
    return parsed


def hear(stack: Stack, message: Any, flow: Flow | None = None) -> None:
    """One batch of one message."""
    stack.received(message, b"" if isinstance(message, Malformed) else message.to_bytes(), flow or Flow(UDP, PEER))
    stack.batch_ended()


@simulated
async def test_a_request_reaches_the_core_and_its_answer_leaves_when_the_batch_ends() -> None:
    stack, core, wires = made()
    message = request()
    stack.received(message, message.to_bytes(), Flow(UDP, PEER))
    [event] = core.events
    assert isinstance(event, RequestReceived) and event.transaction is not None
    stack.respond(event.transaction, response_to(message, 200, tag="t"), 0.0)
    assert wires.sent == []
    stack.batch_ended()
    assert wires.starts() == ["SIP/2.0 200 OK"]
    stack.close()


@simulated
async def test_timers_fire_by_themselves() -> None:
    stack, core, wires = made()
    times: list[float] = []
    stack.run(lambda now: stack.send_request(request(via=False), Target("UDP", *PEER), None, "z9hG4bKours", now))
    loop = asyncio.get_running_loop()
    for _ in range(320):
        await asyncio.sleep(0.125)
        times += [loop.time()] * len(wires.starts())
    # Timer E: 0.5, 1, 2, then 4 s until timer F at 32 s.
    assert [round(time * 2) / 2 for time in times] == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    [event] = core.events
    assert isinstance(event, TransactionTimedOut)
    assert stack.layer.next_deadline() is None


@simulated
async def test_the_cores_own_deadline_is_kept_too() -> None:
    stack, core, _ = made()
    core.deadline = 5.0
    stack.batch_ended()
    await asyncio.sleep(4.9)
    assert core.advanced == []
    core.deadline = 4.95
    stack.batch_ended()
    await asyncio.sleep(1)
    assert core.advanced == [4.95]
    stack.close()


@simulated
async def test_a_transactions_user_hears_its_events_and_the_core_the_others() -> None:
    stack, core, wires = made()
    user = Core()
    stack.run(lambda now: stack.send_request(request(via=False), Target("UDP", *PEER), user, "z9hG4bKours", now))
    sent = parse_datagram(wires.sent[0][0])
    assert isinstance(sent, Request)
    hear(stack, response_to(sent, 200, tag="t"))
    assert [type(event) for event in user.events] == [ResponseReceived]
    assert core.events == []
    hear(stack, response_to(sent, 200, tag="t"))
    assert len(user.events) == 1
    stack.close()


@simulated
async def test_our_via_stands_on_top_and_content_length_is_there() -> None:
    stack, _, wires = made()
    stack.run(lambda now: stack.send_request(request(via=False, body="hello"), Target("UDP", *PEER), None, "z9hG4bKours", now))
    [(octets, flow)] = wires.sent
    assert flow == Flow(UDP, PEER)
    assert octets.split(b"\r\n")[1] == b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKours"
    assert b"\r\nContent-Length: 5\r\n" in octets
    stack.close()


@simulated
async def test_a_request_too_large_for_udp_goes_over_tcp_where_there_is_one() -> None:
    for endpoints, transport in (((UDP, TCP), "TCP"), ((UDP,), "UDP")):
        stack, _, wires = made(*endpoints)
        large = request(via=False, body="x" * LARGEST_UDP_REQUEST)
        stack.run(lambda now, stack=stack, large=large: stack.send_request(large, Target("UDP", *PEER), None, "z9hG4bKours", now))  # type: ignore[misc]
        [(octets, flow)] = wires.sent
        assert flow.endpoint.transport == transport
        assert f"Via: SIP/2.0/{transport} ".encode() in octets
        stack.close()


@simulated
async def test_a_request_to_a_group_names_it_in_via() -> None:
    stack, _, wires = made()
    stack.run(lambda now: stack.send_request(request(via=False), Target("UDP", "224.0.1.75", 5060, 3), None, "z9hG4bKours", now))
    assert b";branch=z9hG4bKours;maddr=224.0.1.75;ttl=3\r\n" in wires.sent[0][0]
    stack.close()


@simulated
async def test_where_no_endpoint_leads_nothing_is_sent() -> None:
    stack, _, wires = made(UDP)
    results: list[object] = []
    for target in (Target("TCP", *PEER), Target("UDP", "2001:db8::1", 5060)):
        stack.run(lambda now, target=target: results.append(stack.send_request(request(via=False), target, None, "z9hG4bKo", now)))  # type: ignore[misc]
    assert (results, wires.sent) == ([None, None], [])


@simulated
async def test_a_failed_flow_is_told_to_its_transactions() -> None:
    stack, core, wires = made()
    stack.run(lambda now: stack.send_request(request(via=False), Target("UDP", *PEER), None, "z9hG4bKours", now))
    stack.failed(wires.sent[0][1], "Port unreachable")
    [event] = core.events
    assert isinstance(event, TransportFailed) and event.reason == "Port unreachable"


@simulated
async def test_malformed_messages_go_to_the_core_and_the_observer() -> None:
    stack, core, _ = made()
    seen: list[tuple[str, Malformed | None]] = []
    stack.observer = lambda direction, octets, flow, malformed: seen.append((direction, malformed))
    malformed = parse_datagram(b"nonsense\r\n\r\n")
    assert isinstance(malformed, Malformed)
    hear(stack, malformed)
    assert core.malformed_seen == [malformed]
    assert seen == [("in", malformed)]


@simulated
async def test_a_fault_of_our_own_costs_one_message_and_is_reported_once_a_second() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    stack, core, _ = made()
    core.fails = True
    for index in range(5):
        hear(stack, request(branch=f"z9hG4bK{index}"))
    assert (stack.faults, len(reported)) == (5, 1)
    assert isinstance(reported[0]["exception"], RuntimeError)
    core.fails = False
    await asyncio.sleep(1.5)
    hear(stack, request(branch="z9hG4bKwell"))
    assert isinstance(core.events[-1], RequestReceived)
    core.fails = True
    hear(stack, request(branch="z9hG4bKill"))
    assert len(reported) == 2
    stack.close()


@simulated
async def test_what_is_sent_from_outside_a_handler_leaves_with_the_turn_of_the_loop() -> None:
    stack, core, wires = made()
    hear(stack, request())
    [event] = core.events
    assert isinstance(event, RequestReceived) and event.transaction is not None
    for _ in range(3):
        stack.wake()
    stack.respond(event.transaction, response_to(event.request, 200, tag="t"), 0.0)
    assert wires.sent == []
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert wires.starts() == ["SIP/2.0 200 OK"]
    stack.close()


@simulated
async def test_a_response_whose_connection_is_closed_opens_another() -> None:
    stack, core, wires = made()
    message = request()
    message.headers.set("Via", "SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bKa")
    hear(stack, message, Flow(TCP, ("192.0.2.2", 40_000), 3))
    [event] = core.events
    assert isinstance(event, RequestReceived) and event.transaction is not None
    wires.closed.add(3)
    transaction = event.transaction
    stack.run(lambda now: stack.respond(transaction, response_to(message, 200, tag="t"), now))
    [(_, flow)] = wires.sent
    # §18.2.2: the source's address, the port of the sent-by.
    assert (flow.endpoint, flow.remote, flow.connection) == (TCP, ("192.0.2.2", 5070), 7)
    stack.close()


@simulated
async def test_a_request_whose_connection_is_closed_is_left_to_fail() -> None:
    stack, _, wires = made()
    wires.closed.add(7)
    stack.run(lambda now: stack.send_request(request(via=False), Target("TCP", *PEER), None, "z9hG4bKours", now))
    assert wires.sent[0][1].connection == 7
    stack.close()


@simulated
async def test_a_closed_stack_fires_no_more() -> None:
    stack, core, wires = made()
    stack.run(lambda now: stack.send_request(request(via=False), Target("UDP", *PEER), None, "z9hG4bKours", now))
    assert len(wires.starts()) == 1
    stack.close()
    stack.close()
    await asyncio.sleep(40)
    assert (wires.sent, core.events) == ([], [])
