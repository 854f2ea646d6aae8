"""What was looked up, while it counts; and one look for all who ask at the same time (RFC 1035 §7.4, RFC 2308, RFC 8767)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

MOST_REMEMBERED = 10_000
"""All is forgotten when there is more. A choice: some megabytes at most."""

# Looks under way. A choice: beyond it somebody makes up names, and they lead nowhere for the moment.
_MOST_ASKED = 1000

# What has run out still counts while nobody can say what is true now (RFC 8767 §5): for a day, and after so many seconds of asking.
_STANDS_IN_FOR = 86_400.0
_STANDS_IN_AFTER = 1.8

# After a fault of this program's own, in seconds.
_FAULT_HOLDS = 5.0

K = TypeVar("K")
V = TypeVar("V")


class Found(NamedTuple, Generic[V]):
    """What a look has found, for how many seconds it counts, and whether questions remained without an answer."""

    value: V
    holds: float
    has_faults: bool


class Remembered(Generic[V]):
    """A value, until when it counts, and until when it may stand in for what nobody can say."""

    __slots__ = ("stands_in_until", "until", "value")

    def __init__(self, value: V, until: float, stands_in_until: float) -> None:
        self.value = value
        self.until = until
        self.stands_in_until = stands_in_until


class Lookups(Generic[K, V]):
    """Values by what was asked for; `look` finds one."""

    def __init__(self, look: Callable[[K], Awaitable[Found[V]]], nothing: V) -> None:
        """`nothing` is what those hear who ask when too much is asked already."""
        self._look = look
        self._nothing = nothing
        self._remembered: dict[K, Remembered[V]] = {}
        self._looking: dict[K, asyncio.Task[V]] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    def known(self, key: K, now: float) -> Remembered[V] | None:
        """What is known and counts."""
        remembered = self._remembered.get(key)
        return remembered if remembered is not None and remembered.until > now else None

    def ask(self, key: K, resolved: Callable[[V], None]) -> None:
        """Calls `resolved(value)` once it is found, never at once."""
        task = asyncio.get_running_loop().create_task(self._ask(key, resolved))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _ask(self, key: K, resolved: Callable[[V], None]) -> None:
        loop = asyncio.get_running_loop()
        looking = self._looking.get(key)
        if looking is None and len(self._looking) < _MOST_ASKED:
            looking = self._looking[key] = loop.create_task(self._find(key))
        if looking is None:
            resolved(self._nothing)
            return
        old = self._remembered.get(key)
        if old is not None and old.stands_in_until > loop.time():
            await asyncio.wait([looking], timeout=_STANDS_IN_AFTER)
            value = looking.result() if looking.done() else old.value
        else:
            value = await asyncio.shield(looking)
        resolved(value)

    async def _find(self, key: K) -> V:
        loop = asyncio.get_running_loop()
        try:
            found = await self._look(key)
        except Exception as error:  # noqa: BLE001 - a fault of ours is reported, and leaves nobody waiting who asked
            loop.call_exception_handler({"message": "a name could not be looked up", "exception": error})
            found = Found(self._nothing, _FAULT_HOLDS, True)
        finally:
            del self._looking[key]
        now = loop.time()
        until = now + found.holds
        new = Remembered(found.value, until, until + _STANDS_IN_FOR)
        old = self._remembered.get(key)
        if found.has_faults and old is not None and old.stands_in_until > now:
            new = Remembered(old.value, until, old.stands_in_until)
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = new
        return new.value

    def forget(self) -> None:
        """Has everything asked for anew; what is known stands in where nobody answers."""
        for remembered in self._remembered.values():
            remembered.until = 0.0

    def close(self) -> None:
        """Abandons what was asked and not found."""
        for task in [*self._waiting, *self._looking.values()]:
            task.cancel()
