"""Which decision follows when one has failed: `else_` and `first` (RFC 3261 §16.5: targets may be added while responses come)."""

from __future__ import annotations

from ringback.server.proxy.routing import Decision, Else, First, following, reached_nobody

MOST_DECISIONS = 20
"""How many decisions one request may pass through. A choice, twice the forwarding hops that switches allow; a loop of them ends so."""


class _Rest:
    """What `first` has left."""

    __slots__ = ("decisions",)

    def __init__(self, decisions: tuple[Decision, ...]) -> None:
        self.decisions = decisions


class Course:
    """The decisions that may still follow, the innermost last."""

    __slots__ = ("_count", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[_Rest | Else] = []
        self._count = 0

    def otherwise(self, else_: Else | None) -> None:
        """What follows where the decision now followed fails."""
        if else_ is not None:
            self._waiting.append(else_)

    def enter(self, chain: First) -> Decision:
        """The first decision of a chain; the others wait."""
        if len(chain.decisions) > 1:
            self._waiting.append(_Rest(chain.decisions[1:]))
        return chain.decisions[0]

    def is_too_long(self) -> bool:
        """Counts one more decision; True where that is one too many."""
        self._count += 1
        return self._count > MOST_DECISIONS

    def after(self, status: int, *, found_nobody: bool = False) -> Decision | None:
        """What follows a failure with this final status; None where nothing does. `found_nobody`: there was nowhere to send it."""
        while self._waiting:
            waiting = self._waiting.pop()
            if not isinstance(waiting, _Rest):
                decision = following(waiting, status, found_nobody=found_nobody)
                if decision is not None:
                    return decision
            elif found_nobody or reached_nobody(status):
                if len(waiting.decisions) > 1:
                    self._waiting.append(_Rest(waiting.decisions[1:]))
                return waiting.decisions[0]
        return None
