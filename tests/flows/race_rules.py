"""What no race excuses: rules of RFC 3261 that each party keeps by what it has said and heard itself, whatever crosses on the way.

assert rules_broken_by("Bob", race.said) == []
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ringback.message.message import Request, Response

# RFC 5407 §2, appendix D: what may still be said after a BYE; a BYE again where it was challenged.
_AFTER_THE_BYE = ("ACK", "BYE", "CANCEL")
# 64*T1, when a transaction is given up.
_GIVEN_UP = 32.0


def rules_broken_by(name: str, events: Iterable[tuple[float, str, Request | Response, bool]]) -> list[str]:
    """A line for each rule that one of the two breaks.

    `events` are in order what was said and what arrived: when, by whom or where, the message, and whether it was said.
    """
    party = _Party(name)
    broken = []
    for time, who, message, is_said in events:
        if who != name:
            continue
        if is_said:
            broken += [f"{time:.3f} {name} says {message.start_line}: {what}" for what in party.says(message, time)]
        else:
            party.hears(message)
    return broken


class _Party:
    """What one of the two knows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._branches: set[str] = set()
        self._heard: set[str] = set()
        self._number: int | None = None
        self._is_over = False
        self._is_acknowledged = False
        self._open: dict[int, float] = {}
        """INVITEs of its own without a final response, by number."""
        self._first: int | None = None
        """The number of the INVITE that it was called with."""
        self._asked: set[int] = set()
        """INVITEs of the other's without a final response."""
        self._unacknowledged: dict[int, float] = {}
        """When it first sent its 2xx whose ACKs have not come."""

    def says(self, message: Request | Response, time: float) -> Iterator[str]:
        """Takes what it says; gives what is wrong with that."""
        number = message.cseq.number
        if isinstance(message, Response):
            if message.cseq.method == "INVITE" and message.is_final:
                self._asked.discard(number)
                if message.is_success:
                    self._unacknowledged.setdefault(number, time)
            return
        method = message.method
        branch = message.via.branch or ""
        if method in ("ACK", "CANCEL") or branch in self._branches:
            return
        self._branches.add(branch)
        if self._number is not None and number != self._number + 1:
            yield f"CSeq {number} after {self._number} (§12.2.1.1)"
        self._number = number
        if self._is_over and method not in _AFTER_THE_BYE:
            yield "after the BYE (RFC 5407 §2)"
        waiting = [since for since in self._unacknowledged.values() if time < since + _GIVEN_UP]
        if method == "INVITE":
            if any(time < since + _GIVEN_UP for since in self._open.values()) or self._asked or waiting:
                yield "while another INVITE is in progress (§14.1)"
            self._open[number] = time
        elif method == "BYE":
            # The ACK of a later 2xx shows as well that the caller has the dialog.
            accepted = None if self._is_acknowledged else self._unacknowledged.get(self._first or 0)
            if accepted is not None and time < accepted + _GIVEN_UP and not self._is_over:
                yield "before the ACK of the first 2xx (§15)"
            self._is_over = True

    def hears(self, message: Request | Response) -> None:
        """Takes what arrives."""
        number = message.cseq.number
        if isinstance(message, Response):
            if message.cseq.method == "INVITE" and message.is_final:
                self._open.pop(number, None)
        elif message.method == "INVITE":
            if message.to_tag is None:
                self._first = number
            if (branch := message.via.branch or "") not in self._heard:
                self._heard.add(branch)
                self._asked.add(number)
        elif message.method == "ACK":
            self._is_acknowledged = True
            self._unacknowledged.pop(number, None)
        elif message.method == "BYE":
            self._is_over = True
