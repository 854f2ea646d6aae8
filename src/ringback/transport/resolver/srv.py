"""The order in which servers of one domain are tried: by priority, then drawn by weight (RFC 2782; RFC 3263 §4.2, §4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ringback.address import Target

Chance = Callable[[], float]
"""Numbers from 0.0 to less than 1.0."""


class Choice(NamedTuple):
    """One server: its targets, and how it stands beside others. Those of a lower rank come first, those of one rank by weight."""

    rank: int
    weight: int
    targets: tuple[Target, ...]


class Way:
    """Where a URI leads: the servers, and in which order they are tried."""

    __slots__ = ("choices", "fixed")

    def __init__(self, choices: Sequence[Choice]) -> None:
        """`choices` stand by rank."""
        self.choices = tuple(sorted(choices, key=lambda choice: choice.rank))
        """Every server."""
        ranks = [choice.rank for choice in self.choices]
        self.fixed: list[Target] | None = None
        """Every target, best first, where chance has no say."""
        if len(set(ranks)) == len(ranks):
            self.fixed = _targets(self.choices)

    def targets(self, chance: Chance) -> list[Target]:
        """Every target once, in the order in which to try them; `chance` draws among servers of one priority."""
        if self.fixed is not None:
            return self.fixed
        drawn: list[Choice] = []
        for rank in dict.fromkeys(choice.rank for choice in self.choices):
            drawn += _drawn([choice for choice in self.choices if choice.rank == rank], chance)
        return _targets(drawn)


def _drawn(choices: list[Choice], chance: Chance) -> list[Choice]:
    """RFC 2782: each time one more is chosen, with a probability that its weight has in those that are left."""
    # Those of weight 0 stand first: they have a small chance too, as long as the others have not used up all of it.
    left = sorted(choices, key=lambda choice: choice.weight > 0)
    total = sum(choice.weight for choice in left)
    drawn = []
    while left:
        mark = int(chance() * (total + 1))
        running = 0
        for choice in left:
            running += choice.weight
            if running >= mark:
                break
        drawn.append(choice)
        left.remove(choice)
        total -= choice.weight
    return drawn


def _targets(choices: Sequence[Choice]) -> list[Target]:
    return list(dict.fromkeys(target for choice in choices for target in choice.targets))
