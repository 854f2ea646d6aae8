"""INFO: info packages that both parties know, and what was done with INFO before there were any (RFC 6086)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from ringback.agent.call.dtmf_info import PLAIN, RELAY, is_dtmf, parse_digit, render_digit
from ringback.agent.call.negotiation import put_body
from ringback.agent.errors import CallEnded, RequestRejected, failure
from ringback.agent.generic_request import add_fields
from ringback.agent.inspection import Refusal
from ringback.agent.service import IncomingRequest, Outcome, answer_by
from ringback.message.errors import SipParseError
from ringback.message.fields.media_type import MediaType
from ringback.message.fields.token_value import TokenValue
from ringback.message.headers import Headers
from ringback.message.message import Request, Response
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.call.session import Session
    from ringback.agent.core import AgentCore

DTMF_TYPES = (RELAY, PLAIN)

# RFC 4733 §2.5.1.1 has some 50 ms of silence between two digits; so has ITU-T Q.24.
_GAP = 0.05


class IncomingInfo(IncomingRequest):
    """An INFO that came within `call`: of a `package`, or of none; `body` and `content_type` are what it says."""

    __slots__ = ("package",)

    def __init__(self, core: AgentCore, event: RequestReceived, package: TokenValue | None) -> None:
        super().__init__(core, event)
        self.package = package
        """Info-Package: the name is its `value`, and its `params` belong to it. None for what is older than packages (RFC 6086 §9)."""


OnInfo = Callable[[IncomingInfo], Awaitable[Outcome] | Outcome]
"""A program's way with INFO: returning takes it."""


class InfoPackages:
    """What one party takes in INFO: the packages it names in Recv-Info, and who is given them."""

    __slots__ = ("names", "on_info")

    def __init__(self, names: Iterable[str] | None, on_info: OnInfo | None) -> None:
        """`names` None: packages are unknown here, there is no Recv-Info. ValueError for a name that is none, or nobody to take it."""
        self.names = None if names is None else tuple(str(TokenValue.parse(name)) for name in names)
        self.on_info = on_info
        if self.names and on_info is None:
            raise ValueError("info packages need somebody who takes them: on_info")

    def put(self, message: Request) -> None:
        """Says in a request that may begin or change a session what we take (§5.2.3)."""
        if self.names is not None:
            message.headers.append("Recv-Info", ", ".join(self.names))

    def put_back(self, request: Request, response: Response) -> None:
        """The same in a reliable response, where the request has said it too (§5.2.3)."""
        if self.names is not None and "recv-info" in request.headers.keys:
            response.headers.append("Recv-Info", ", ".join(self.names))


def packages_in(headers: Headers) -> frozenset[str] | None:
    """What a peer's Recv-Info names; None where there is none, or none that can be read."""
    if "recv-info" not in headers.keys:
        return None
    try:
        return frozenset(package.value for package in headers.values("recv-info"))
    except SipParseError:
        return None


def receive_info(session: Session, event: RequestReceived, _now: float) -> None:
    """Takes an INFO within a call (§4.2.2); a digit goes to whoever reads digits, the rest to the program."""
    core = session.core
    request = event.request
    taken = core.info_packages
    package: TokenValue | None = request.headers.value("Info-Package")
    if package is not None and package.value not in (taken.names or ()):
        core.refuse(event, Refusal(469, "Bad Info Package", (("Recv-Info", ", ".join(taken.names or ())),)))
        return
    content_type: MediaType | None = request.content_type
    if package is None and request.body and content_type is not None and is_dtmf(content_type):
        digit = parse_digit(content_type, request.body)
        core.refuse(event, Refusal(200))
        session.call.take_digit(digit)
    elif taken.on_info is not None:
        answer_by(core, event, taken.on_info, IncomingInfo(core, event, package))
    elif request.body:
        core.refuse(event, Refusal(415, None, (("Accept", ", ".join(DTMF_TYPES)),)))
    else:
        # Of old an INFO without a body asks whether the call is there.
        core.refuse(event, Refusal(200))


async def send_info(
    session: Session, package: str | None, body: bytes, content_type: str | None, headers: Iterable[tuple[str, object]]
) -> Response:
    """Sends an INFO of a package, or of none, within a call; gives the 2xx.

    Raises `RequestRejected`: with 469 too where the peer has not said that it takes the package, and nothing is sent then (§4.2.1).
    """
    request = session.request("INFO")
    if package is not None:
        named = TokenValue.parse(package)
        if named.value not in (session.peer_info_packages or ()):
            raise RequestRejected(469, f"the peer does not take {named.value}")
        request.headers.append("Info-Package", named)
    add_fields(request, headers)
    if body:
        if content_type is None:
            raise ValueError("a body needs its content type")
        if package is not None:
            # §4.3.1: so that it is told from what else may be in the message.
            request.headers.append("Content-Disposition", "Info-Package")
        put_body(request, content_type, body)
    exchange = await session.ask(request)
    response = exchange.response
    assert response is not None, "the exchange has ended"
    if not response.is_success:
        raise failure(response.status, response.reason, None if exchange.fault else response, fault=exchange.fault)
    return response


async def send_digits(session: Session, digits: str, duration: int, content_type: str) -> None:
    """Sends digits one by one, each when the one before was taken and its duration in milliseconds is over.

    Raises `RequestRejected` where one is refused, ValueError before any is sent where one is no digit.
    """
    bodies = [render_digit(digit, duration, content_type) for digit in digits.upper() if digit not in " -"]
    for index, body in enumerate(bodies):
        if index:
            await asyncio.sleep(duration / 1000 + _GAP)
        if session.is_over:
            raise CallEnded("the call is over")
        await send_info(session, None, body, content_type, ())
