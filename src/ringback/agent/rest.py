"""Servers that want to be left alone for a while (RFC 3261 §21.5.4)."""

from __future__ import annotations

from ringback.address import Target
from ringback.message.errors import SipParseError
from ringback.message.fields.retry_after import RetryAfter
from ringback.message.message import Response

# Departs from RFC 3261 §21.5.4: no server is left alone for longer than a minute. A 503 may speak for somebody behind that server, where
# a proxy passes on what §16.7 has it keep to itself, and a party without its proxy cannot even ask for help.
_LONGEST = 60.0

# Servers remembered; the oldest goes. A choice: nobody deals with so many at a time.
_MOST = 256


class Rests:
    """Until when which server gets no new request: what its 503 has said in Retry-After."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[Target, float] = {}

    def take(self, target: Target, response: Response, now: float) -> None:
        """Takes a 503; one without a Retry-After that can be read changes nothing."""
        try:
            value: RetryAfter | None = response.headers.value("Retry-After")
        except SipParseError:
            return
        if value is None:
            return
        self._until.pop(target, None)
        self._until[target] = now + min(value.seconds, _LONGEST)
        if len(self._until) > _MOST:
            del self._until[next(iter(self._until))]

    def until(self, target: Target, now: float) -> float | None:
        """When a server may be asked again; None where that is now."""
        if not self._until:
            return None
        until = self._until.get(target)
        if until is not None and until <= now:
            del self._until[target]
            return None
        return until
