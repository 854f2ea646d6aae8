"""What the server knows of who sends: which addresses have proved that they are where they say, and how much the others ask for at once."""

from __future__ import annotations

# A day: long enough for a phone that calls daily; the table holds the most recent, so a flood of strangers costs a few MB.
_PROVEN_SECONDS = 86_400.0
_MOST_REMEMBERED = 20_000


class Sources:
    """Source addresses. One is proven when it shows something only its true holder can have received: a dialog's proof."""

    def __init__(self, half_open_limit: int) -> None:
        self.half_open_limit = half_open_limit
        self._proven: dict[str, float] = {}
        self._half_open: dict[str, int] = {}

    @property
    def half_open(self) -> int:
        """How many INVITEs wait for their final response, of all addresses together."""
        return sum(self._half_open.values())

    def prove(self, host: str, now: float) -> None:
        """The address has shown that it receives what is sent to it."""
        if len(self._proven) >= _MOST_REMEMBERED and host not in self._proven:
            del self._proven[next(iter(self._proven))]
        self._proven[host] = now + _PROVEN_SECONDS

    def is_proven(self, host: str, now: float) -> bool:
        """Whether the address has shown so of late."""
        return self._proven.get(host, 0.0) > now

    def may_open(self, host: str, now: float) -> bool:
        """Whether one more INVITE without a final response may be held for this address."""
        return self._half_open.get(host, 0) < self.half_open_limit or self.is_proven(host, now)

    def opened(self, host: str) -> None:
        """An INVITE of this address waits for its final response."""
        self._half_open[host] = self._half_open.get(host, 0) + 1

    def closed(self, host: str) -> None:
        """An INVITE of this address got its final response."""
        left = self._half_open.get(host, 0) - 1
        if left > 0:
            self._half_open[host] = left
        else:
            self._half_open.pop(host, None)
