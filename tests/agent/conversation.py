"""A call between an agent and a raw party that stands: the beginning and the end of tests about what happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ringback import IncomingCall, OutgoingCall, Request, Response
from ringback.agent.call.call import Call
from ringback.sdp.description import SessionDescription
from tests.agent.stage import Stage
from tests.server.party import Dialog, Party

SDP = "Content-Type: application/sdp"
BOB = "sip:bob@192.0.2.1"
RELIABLE = "Supported: 100rel\n"
ALLOWS = "Allow: INVITE, ACK, BYE, UPDATE, PRACK\n"


def description(version: int = 1, media: str = "audio 4000 RTP/AVP 0", direction: str = "") -> str:
    """A session description of the raw party's."""
    lines = f"v=0\r\no=- 1 {version} IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm={media}\r\n"
    return f"{lines}a={direction}\r\n" if direction else lines


def parsed(message: Request | Response | str) -> SessionDescription:
    """The session description in a message."""
    return SessionDescription.parse(message.encode() if isinstance(message, str) else message.body)


def now() -> float:
    """The time in seconds, to the hundredth."""
    return round(asyncio.get_running_loop().time(), 2)


def remote_of(call: Call) -> SessionDescription | None:
    """The peer's description that is in force."""
    assert call.session is not None
    return call.session.negotiation.exchange.remote


def in_force(call: Call) -> tuple[object, ...]:
    """Both descriptions, where the peer is reached, and whether nothing is open."""
    session = call.session
    assert session is not None
    exchange = session.negotiation.exchange
    return exchange.local, exchange.remote, session.dialog.remote_target, session.negotiation.is_stable


# Alice is an agent and calls Bob, who is a test.


async def standing(stage: Stage, extra: str = "", **options: Any) -> tuple[OutgoingCall, Party, Request]:
    """A call of Alice's that Bob has answered, and its INVITE."""
    alice = await stage.agent("alice", **options)
    bob = await stage.party("bob", "alice")
    call = alice.call(bob.uri)
    await call.place()
    request = await bob.hears("INVITE")
    bob.reply(request, 200, extra=f"{extra}{SDP}", body=description().encode())
    await bob.hears("ACK")
    await call.answered()
    return call, bob, request


async def ends(bob: Party, call: Call) -> None:
    """Alice hangs up."""
    ending = asyncio.ensure_future(call.hang_up())
    bob.reply(await bob.hears("BYE"), 200)
    await ending


async def taken(bob: Party, request: Request, body: str | None = None) -> Request:
    """Bob accepts a re-INVITE; gives Alice's ACK."""
    bob.reply(request, 200, extra=SDP, body=(description(2, direction="recvonly") if body is None else body).encode())
    ack: Request = await bob.hears("ACK")
    return ack


def reversed_ends(invite: Request) -> list[tuple[str, object]]:
    """From, To, Call-ID and Contact as the callee of an INVITE writes them in its own requests."""
    return [
        ("From", f"{invite.headers.text('To')};tag=bob-tag"),
        ("To", str(invite.headers.text("From"))),
        ("Call-ID", invite.call_id),
        ("Contact", str(invite.headers.text("Contact"))),
    ]


# Bob is an agent and called by Alice, who is a test.


async def listen(call: IncomingCall) -> None:
    """Answers and listens."""
    await call.answer()
    await call.ended()


async def called(
    stage: Stage, on_call: Callable[[IncomingCall], Awaitable[Any]] = listen, *, extra: str = "", offers: bool = True
) -> tuple[Party, Request]:
    """Alice's INVITE to Bob."""
    await stage.agent("bob", on_call=on_call)
    alice = await stage.party("alice", "bob")
    return alice, alice.ask("INVITE", BOB, extra=extra + SDP, body=description() if offers else "")


async def acknowledged(alice: Party, request: Request) -> Dialog:
    """The dialog, once the 200 was heard and acknowledged."""
    dialog = Dialog(alice, alice, request, await alice.hears("200 INVITE"))
    alice.within("ACK", dialog, cseq=request.cseq.number)
    return dialog


def ask(alice: Party, dialog: Dialog, method: str, cseq: int, body: str = "", contact: str = "<sip:alice@192.0.2.2:5060>") -> Request:
    """A re-INVITE or UPDATE of Alice's."""
    extra = (SDP if body else "") + (f"\nContact: {contact}" if contact and method != "INVITE" else "")
    return alice.within(method, dialog, cseq=cseq, extra=extra.lstrip("\n"), body=body)


async def hang_up(alice: Party, dialog: Dialog) -> None:
    """Alice's BYE, answered."""
    alice.within("BYE", dialog, cseq=99)
    await alice.hears("200 BYE")
