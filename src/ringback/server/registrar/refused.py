"""What ends the processing of a REGISTER before anything is changed (RFC 3261 §8.2: a refusal changes no state)."""

from collections.abc import Sequence

from ringback.server.proxy.routing import Reject


class Refused(Exception):  # noqa: N818 - a decision, not an error of the program
    """The answer that `reject` says is due, and nothing else is."""

    def __init__(self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(status, reason)
        self.reject = Reject(status, reason, headers)
