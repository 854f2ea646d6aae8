"""Which servers failed a moment ago, and which asked to be left alone (RFC 3263 §4.3, RFC 3261 §21.5.4)."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.address import Target

# A choice: half a minute without a dead server costs little where there is another, and asking it again costs one call a few seconds.
FAILED_FOR = 30.0

# Departs from RFC 3261 §21.5.4: no server is left alone for longer than a minute. A 503 may speak for somebody behind that server, where
# a proxy passes on what §16.7 has it keep to itself, and who has no other server cannot even ask for help.
LONGEST_REST = 60.0

# Servers remembered; the oldest goes. A choice: nobody deals with so many dead ones at a time.
_MOST = 1000

_Server = tuple[str, str, int]


def _server(target: Target) -> _Server:
    return target.transport, target.host, target.port


class Failures:
    """Until when which servers come last."""

    __slots__ = ("_latest", "_rests", "until")

    def __init__(self) -> None:
        self.until: dict[_Server, float] = {}
        """The time for each, in the order they failed; empty where none did of late: then nobody need ask."""
        self._rests: dict[_Server, float] = {}
        self._latest = 0.0

    def failed(self, target: Target, now: float, retry_after: float | None) -> bool:
        """Remembers a failure: for 30 s, or as long as a 503's Retry-After says (a minute at most); gives whether that is news."""
        server = _server(target)
        until = now + FAILED_FOR
        if retry_after is not None:
            until = self._rests[server] = now + min(retry_after, LONGEST_REST)
        # Last in, last to be forgotten.
        before = self.until.pop(server, 0.0)
        self.until[server] = max(until, before)
        self._latest = max(self._latest, until)
        if len(self.until) > _MOST:
            self._forget(next(iter(self.until)))
        return before <= now

    def succeeded(self, target: Target) -> None:
        """Forgets what was."""
        self._forget(_server(target))

    def _forget(self, server: _Server) -> None:
        self.until.pop(server, None)
        self._rests.pop(server, None)

    def rest(self, target: Target, now: float) -> float | None:
        """For how many seconds yet a server asked to be left alone; None where it did not."""
        until = self._rests.get(_server(target)) if self._rests else None
        return until - now if until is not None and until > now else None

    def last(self, targets: Sequence[Target], now: float) -> list[Target]:
        """The targets, those that failed behind the others, the one that may be well again soonest first."""
        if self._latest <= now:
            self.until.clear()
            self._rests.clear()
        well = []
        failed = []
        for target in targets:
            server = _server(target)
            until = self.until.get(server)
            if until is None:
                well.append(target)
            elif until <= now:
                self._forget(server)
                well.append(target)
            else:
                failed.append((until, target))
        failed.sort(key=lambda found: found[0])
        return well + [target for _, target in failed]
