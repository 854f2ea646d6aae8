"""Messages that the RFC derives from others: responses (RFC 3261 §8.2.6), ACK of a non-2xx (§17.1.1.3), CANCEL (§9.1)."""

from ringback.message.errors import SipParseError
from ringback.message.headers import Headers
from ringback.message.message import Request, Response
from ringback.message.status import REASONS

_CARRIED = frozenset(("via", "from", "to", "call-id", "cseq"))
# RFC 3841 §5: what a stateless proxy may have routed the first request by.
_ROUTED_BY = ("accept-contact", "reject-contact", "request-disposition")
_CARRIED_BY_TRYING = _CARRIED | {"timestamp"}


def response_to(request: Request, status: int, reason: str | None = None, *, tag: str | None = None) -> Response:
    """A response with what §8.2.6.2 makes it carry; `tag` goes into To where the request has none there. Content-Length is 0.

    A reason phrase with CR or LF raises `ValueError`.
    """
    if reason is not None and ("\r" in reason or "\n" in reason):
        raise ValueError(f"a reason phrase may hold no CR or LF: {reason!r}")
    keys: list[str] = []
    lines: list[str] = []
    carried = _CARRIED_BY_TRYING if status == 100 else _CARRIED
    for key, line in zip(request.headers.keys, request.headers.lines, strict=True):
        if key in carried:
            keys.append(key)
            lines.append(line)
    if tag is not None and "to" in keys and _lacks_tag(request):
        lines[keys.index("to")] += f";tag={tag}"
    keys.append("content-length")
    lines.append("Content-Length: 0")
    return Response.received(status, REASONS.get(status, "") if reason is None else reason, Headers.from_lines(keys, lines))


def _lacks_tag(request: Request) -> bool:
    try:
        return request.to_tag is None
    except SipParseError:
        # What cannot be read goes back as it came.
        return False


def trying(request: Request) -> Response:
    """100 Trying: no To tag (§17.2.1), the request's Timestamp (§8.2.6.1)."""
    return response_to(request, 100)


def _within_hop(request: Request, method: str, response: Response | None = None) -> Request:
    """A request for the same hop and transaction: the topmost Via, Route, From, To, Call-ID and CSeq number of the first, and what its
    caller prefers.

    To is the response's where there is one.
    """
    headers = Headers()
    # §7.3.1: what proxies read stands above the rest.
    headers.append("Via", request.via)
    headers.append("Max-Forwards", "70")
    headers.carry(request.headers, "route", *_ROUTED_BY, "from")
    headers.carry(request.headers if response is None else response.headers, "to")
    headers.carry(request.headers, "call-id")
    headers.append("CSeq", f"{request.cseq.number} {method}")
    headers.append("Content-Length", "0")
    return Request(method, request.uri_text, headers)


def ack_of(request: Request, response: Response) -> Request:
    """The ACK for a final response that is no 2xx, to go where the INVITE went (§17.1.1.3): To is the response's."""
    return _within_hop(request, "ACK", response)


def invite_of(request: Request) -> Request:
    """The INVITE that an ACK or CANCEL is about, as far as it repeats it (§9.1, §17.1.1.3): enough to find the way it went."""
    invite = request.copy()
    invite.method = "INVITE"
    invite.headers.set("CSeq", f"{request.cseq.number} INVITE")
    return invite


def cancel_of(request: Request) -> Request:
    """The CANCEL for a request sent before (§9.1): no Require, no Proxy-Require, the same Via."""
    return _within_hop(request, "CANCEL")
