"""The questions asked in order to find one thing, and for how long what they brought counts (RFC 1035 §3.2.1, RFC 2308)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

from ringback.transport.resolver.records import Answer, Naptr, Questions, R, Srv, UnansweredError

# No answer counts for longer than an hour: whoever has moved a server need not wait for days.
_LONGEST = 3600.0

# A TTL of 0 makes one question for all who ask within this second, not one for each request.
_SHORTEST = 1.0

# c-ares keeps "there is none" as long as the zone's SOA record says, but does not tell for how long: so it is asked again this often.
_NONE_FOR = 30.0

# RFC 2308 §7.1, RFC 9520 §3.2: what could not be answered is not asked again at once.
_UNANSWERED_FOR = 5.0


class Asked(NamedTuple):
    """One question and what came of it; `fault` says why nothing did."""

    kind: str
    name: str
    answer: Answer[Any] = Answer(())
    fault: str | None = None

    @property
    def holds(self) -> float:
        """For how many seconds that counts."""
        if self.fault is not None:
            return _UNANSWERED_FOR
        ttl = self.answer.ttl
        return _NONE_FOR if ttl is None else min(max(ttl, _SHORTEST), _LONGEST)


def holding(asked: Sequence[Asked]) -> float:
    """For how many seconds what was found counts: as long as each answer that it was made of."""
    return min((one.holds for one in asked), default=_LONGEST)


def has_faults(asked: Sequence[Asked]) -> bool:
    """Whether a question was not answered."""
    return any(one.fault is not None for one in asked)


class Inquiry:
    """Questions, each noted in `asked`; one that is not answered counts as answered by nothing."""

    def __init__(self, questions: Questions, patience: float) -> None:
        """`patience` is how long each question may take, in seconds: what is known by then has to do."""
        self.asked: list[Asked] = []
        self._questions = questions
        self._patience = patience

    async def naptr(self, name: str) -> Answer[Naptr]:
        """The NAPTR records of a name."""
        return await self._note("NAPTR", name, self._questions.naptr(name))

    async def srv(self, name: str) -> Answer[Srv]:
        """The SRV records of a name."""
        return await self._note("SRV", name, self._questions.srv(name))

    async def addresses(self, name: str, families: frozenset[int]) -> Answer[str]:
        """The addresses of a host."""
        kind = " and ".join(kind for family, kind in ((4, "A"), (6, "AAAA")) if family in families)
        return await self._note(kind, name, self._questions.addresses(name, families))

    async def _note(self, kind: str, name: str, question: Awaitable[Answer[R]]) -> Answer[R]:
        place = len(self.asked)
        self.asked.append(Asked(kind, name))
        try:
            async with asyncio.timeout(self._patience):
                answer = await question
        except (UnansweredError, TimeoutError) as error:
            fault = error.reason if isinstance(error, UnansweredError) else "no answer in time"
            self.asked[place] = Asked(kind, name, fault=fault)
            return Answer(())
        self.asked[place] = Asked(kind, name, answer)
        return answer
