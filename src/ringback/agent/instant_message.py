"""Instant messages: MESSAGE, sent and received, outside of calls and within them (RFC 3428)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ringback.agent.call.negotiation import put_body
from ringback.agent.errors import CallEnded, failure
from ringback.agent.generic_request import add_fields
from ringback.agent.inspection import Refusal
from ringback.agent.service import IncomingRequest, Outcome, answer_by
from ringback.message.errors import SipParseError
from ringback.message.fields.date import Date
from ringback.message.fields.media_type import MediaType
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request, Response
from ringback.message.multipart import Multipart
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.call.session import Session
    from ringback.agent.core import AgentCore

PLAIN_TEXT = "text/plain"

# Charsets by name as Python reads them in linear time; not every codec of Python's does.
_CHARSETS = {
    **dict.fromkeys(("utf-8", "utf8", "us-ascii", "ascii"), "utf-8"),
    **{f"iso-8859-{part}": f"iso-8859-{part}" for part in range(1, 17) if part != 12},
    **{f"windows-125{part}": f"cp125{part}" for part in range(9)},
    **{name: name for name in ("utf-16", "utf-16le", "utf-16be", "koi8-r", "koi8-u", "gb18030", "shift_jis", "euc-jp", "euc-kr", "big5")},
}


class IncomingMessage(IncomingRequest):
    """A message that came: `sender`, `text`, `content_type`; `body` is its octets, `call` the call it came in, if any."""

    __slots__ = ("expires_at", "text")

    def __init__(self, core: AgentCore, event: RequestReceived) -> None:
        """Raises `SipParseError` where what is needed of it is malformed."""
        super().__init__(core, event)
        self.text = ""
        """The text, where there is one; what is no text of its charset is replaced. A charset that is not known is read as UTF-8."""
        self.expires_at: datetime | None = _expiry(event.request)
        """After which moment it is of no use any more (§7); None where its sender does not say."""

    def read(self, content_type: MediaType, body: bytes) -> None:
        """Takes the part of the body that is the message."""
        self.content_type, self.body = content_type, body
        if content_type.type == "text":
            charset = _CHARSETS.get(ascii_lower(content_type.param("charset") or ""), "utf-8")
            self.text = body.decode(charset, "replace")


OnMessage = Callable[[IncomingMessage], Awaitable[Outcome] | Outcome]
"""A program's way with messages: returning takes them, with 200 unless it returns 202 (it will be delivered later, §7)."""


class Inbox:
    """Takes MESSAGEs of the types that are wanted and gives them to the program."""

    __slots__ = ("_core", "_on_message", "_types")

    def __init__(self, core: AgentCore, on_message: OnMessage, types: Iterable[str]) -> None:
        """`types` are media types or ranges, `text/*`. §7: text/plain is always among them. `SipParseError` where one is none."""
        self._core = core
        self._on_message = on_message
        self._types = [MediaType.parse(one) for one in dict.fromkeys((PLAIN_TEXT, *types))]

    @property
    def accept(self) -> list[str]:
        """The types that are taken."""
        return [str(one) for one in self._types]

    def receive(self, event: RequestReceived, _now: float) -> None:
        """§7: answers at once, with 415 what is of no wanted type; the response never has a Contact."""
        message = IncomingMessage(self._core, event)
        content_type = message.content_type
        if content_type is not None:
            part = self._choose(content_type, message.body)
            if part is None:
                self._core.refuse(event, Refusal(415, None, (("Accept", ", ".join(self.accept)),)))
                return
            message.read(*part)
        answer_by(self._core, event, self._on_message, message)

    def _choose(self, content_type: MediaType, body: bytes) -> tuple[MediaType, bytes] | None:
        """The body, or the part of a multipart, that is of a wanted type; None where there is none, or another part must be understood."""
        if self._wants(content_type):
            return content_type, body
        if content_type.type != "multipart":
            return None
        multipart = Multipart.parse(body, content_type)
        chosen: tuple[MediaType, bytes] | None = None
        for part in multipart.leaves():
            if self._wants(part.content_type):
                # RFC 2046 §5.1.4: of alternatives the last is the best.
                if chosen is None or multipart.subtype == "alternative":
                    chosen = part.content_type, part.body
            elif multipart.subtype != "alternative":
                disposition = part.content_disposition
                if disposition is None or disposition.is_required:
                    return None
        return chosen

    def _wants(self, content_type: MediaType) -> bool:
        return any(one.includes(content_type) for one in self._types)


def _expiry(request: Request) -> datetime | None:
    """§7: Expires counts from Date, or from now where that says nothing usable."""
    seconds = request.expires
    if seconds is None:
        return None
    try:
        date = request.headers.value("Date")
    except SipParseError:
        date = None
    began = date.moment if isinstance(date, Date) else datetime.now(UTC)
    try:
        return began + timedelta(seconds=seconds)
    except OverflowError:
        # It lives longer than the calendar.
        return None


async def send_message(
    core: AgentCore,
    uri: str,
    content: str | bytes,
    content_type: str | None = None,
    headers: Iterable[tuple[str, object]] = (),
    expires: int | None = None,
) -> Response:
    """Sends a message outside of calls; gives the 2xx. One that goes to the same URI waits until this one is answered (§8).

    Raises `RequestFailed`.
    """
    request = core.request("MESSAGE", uri)
    _write(request, content, content_type, headers, expires)
    # Departs from RFC 3428 §8: nobody but the next hop is known to be reached over TCP, where all that is too large for UDP goes.
    async with core.message_turns.setdefault(uri, asyncio.Lock()):
        exchange = await core.ask(request)
    return _taken(exchange.response, exchange.fault)


async def send_message_within(
    session: Session, content: str | bytes, content_type: str | None = None, headers: Iterable[tuple[str, object]] = ()
) -> Response:
    """The same within a call's dialog, one message at a time as well."""
    dialog = session.dialog
    # No URI holds a line feed.
    turn = session.core.message_turns.setdefault(f"{dialog.call_id}\n{dialog.local_tag}\n{dialog.remote_tag}", asyncio.Lock())
    async with turn:
        if session.is_over:
            raise CallEnded("the call is over")
        request = session.request("MESSAGE")
        _write(request, content, content_type, headers, None)
        exchange = await session.ask(request)
    return _taken(exchange.response, exchange.fault)


def _write(
    request: Request, content: str | bytes, content_type: str | None, headers: Iterable[tuple[str, object]], expires: int | None
) -> None:
    if isinstance(content, str):
        # RFC 3261 §7.4.1: UTF-8 is what text is in unless it says otherwise; it says so all the same where that matters.
        content_type = content_type or (PLAIN_TEXT if content.isascii() else f"{PLAIN_TEXT};charset=utf-8")
        content = content.encode("utf-8")
    elif content_type is None:
        raise ValueError("octets need their content type")
    MediaType.parse(content_type)
    if expires is not None:
        request.headers.append("Expires", expires)
        # §4: with an Expires its beginning.
        request.headers.append("Date", Date(datetime.now(UTC)))
    add_fields(request, headers)
    put_body(request, content_type, content)


def _taken(response: Response | None, fault: str) -> Response:
    assert response is not None, "the exchange has ended"
    if not response.is_success:
        raise failure(response.status, response.reason, None if fault else response, fault=fault)
    return response
