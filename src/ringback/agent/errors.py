"""What goes wrong in a party's dealings with others, as exceptions that say what happened."""

from __future__ import annotations

from collections.abc import Iterable

from ringback.message.message import Response


class RequestFailed(Exception):  # noqa: N818 - read as what happened, as asyncio.IncompleteRead is
    """A request was not answered by a 2xx.

    `status` is the final response's, or 408 and 503 where none came and RFC 3261 §8.1.3.1 has the sender act as if it had. `response` is
    what came, None where nothing did.
    """

    def __init__(self, status: int, reason: str, response: Response | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.response = response

    @property
    def retry_after(self) -> int | None:
        """The seconds the peer asks us to wait before the next attempt (§20.33); None where it says nothing usable."""
        return None if self.response is None else self.response.retry_after


class RequestRejected(RequestFailed):
    """The peer, or somebody on the way, said no: `status` is from 300 to 699."""


class AuthenticationFailed(RequestRejected):
    """A 401 or 407 that we cannot answer, or that came in answer to our credentials: no account for the realm, or a wrong password."""


class RequestTimedOut(RequestFailed):
    """Nobody answered in time, or 408 says so of somebody further on."""


class CallFailed(RequestFailed):
    """A call did not come about."""


class CallRejected(CallFailed, RequestRejected):
    """The callee, or somebody on the way, said no: `status` is from 300 to 699."""


class CallTimedOut(CallFailed, RequestTimedOut):
    """The callee did not answer in time."""


class Unreachable(CallFailed):
    """No way leads there: an unknown name, a transport error, a host that is not there."""


class TransferFailed(RequestFailed):
    """Whoever was asked to go elsewhere will not, or has not got there.

    `status` is the final one of the request it has sent, as it says, or of our REFER where that was refused: then `is_refused`. 408 where
    it says nothing for too long, 500 where it ended without a result.
    """

    def __init__(self, status: int, reason: str, response: Response | None = None, *, is_refused: bool = False) -> None:
        super().__init__(status, reason, response)
        self.is_refused = is_refused


class Refused(Exception):  # noqa: N818 - what the program says, not what went wrong
    """Raised by a program's own function that is given a request, to refuse it: `raise Refused(403)`.

    `status` is from 300 to 699 (ValueError), `reason` the reason phrase unless it is the RFC's own, `headers` what the response carries
    besides.
    """

    def __init__(self, status: int, reason: str | None = None, headers: Iterable[tuple[str, object]] = ()) -> None:
        if not 300 <= status <= 699:
            raise ValueError(f"no refusal: {status}")
        super().__init__(f"{status} {reason}" if reason else str(status))
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)


class CallEnded(Exception):  # noqa: N818 - an event rather than an error
    """The call is over, and what was asked of it cannot be done any more. `reason` says who ended it, and why if they said so."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def failure(status: int, reason: str, response: Response | None, *, is_call: bool = False, fault: str = "") -> RequestFailed:
    """The exception that says what a final response other than 2xx means; `fault` is why none came, where none did."""
    if response is None and status == 503:
        return Unreachable(503, fault or "Unreachable")
    if status == 408:
        return (CallTimedOut if is_call else RequestTimedOut)(408, reason, response)
    if status in (401, 407):
        return AuthenticationFailed(status, reason, response) if not is_call else CallUnauthorized(status, reason, response)
    return (CallRejected if is_call else RequestRejected)(status, reason, response)


class CallUnauthorized(CallRejected, AuthenticationFailed):
    """A call was refused for want of credentials that count."""
