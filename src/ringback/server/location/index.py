"""The committed bindings in memory: by address-of-record, by the flow they were made over, and by when they expire."""

from __future__ import annotations

from collections.abc import Container, Iterable

from ringback.server.location.binding import Binding

# Bindings that expire within the same so many seconds leave memory together. Lookups look at the clock themselves.
SLOT = 4.0
# So many at a time: a whole town's phones expiring at once must not hold up the calls.
MOST_AT_ONCE = 2_000


class Index:
    """Which bindings there are. `by_aor` is for reading: a tuple for each address-of-record, highest q first, some perhaps expired."""

    __slots__ = ("_by_flow", "_expiring", "_late", "_slot", "by_aor", "size")

    def __init__(self, now: float) -> None:
        self.by_aor: dict[str, tuple[Binding, ...]] = {}
        self._by_flow: dict[str, set[Binding]] = {}
        self.size = 0
        self._slot = int(now / SLOT)
        self._expiring: dict[int, set[Binding]] = {}
        self._late: set[Binding] = set()

    def put(self, aor: str, bindings: tuple[Binding, ...]) -> None:
        """Makes `bindings` those of `aor`."""
        before = self.by_aor.get(aor, ())
        if bindings:
            self.by_aor[aor] = bindings
        elif before:
            del self.by_aor[aor]
        for binding in before:
            if binding not in bindings:
                self._unschedule(binding)
                if binding.flow:
                    self._leave_flow(binding)
        for binding in bindings:
            if binding not in before:
                self._schedule(binding)
                if flow := binding.flow:
                    self._by_flow.setdefault(flow, set()).add(binding)
        self.size += len(bindings) - len(before)

    def over(self, flow: str) -> Iterable[Binding]:
        """The bindings made over a flow, whosever they are."""
        return self._by_flow.get(flow, ())

    def flows(self) -> Iterable[str]:
        """The names of the flows that bindings were made over."""
        return self._by_flow

    def _leave_flow(self, binding: Binding) -> None:
        together = self._by_flow[binding.flow]
        together.remove(binding)
        if not together:
            del self._by_flow[binding.flow]

    def _schedule(self, binding: Binding) -> None:
        slot = int(binding.expires_at / SLOT)
        if slot < self._slot:
            self._late.add(binding)
        elif (together := self._expiring.get(slot)) is not None:
            together.add(binding)
        else:
            self._expiring[slot] = {binding}

    def _unschedule(self, binding: Binding) -> None:
        slot = int(binding.expires_at / SLOT)
        together = self._expiring.get(slot)
        if together is None:
            self._late.discard(binding)
        elif len(together) == 1:
            del self._expiring[slot]
        else:
            together.remove(binding)

    def sweep(self, now: float, spared: Container[str]) -> list[Binding]:
        """Removes bindings that have expired and gives them, some at a time; addresses-of-record in `spared` keep theirs for later."""
        slot = int(now / SLOT)
        while self._slot < slot:
            self._late |= self._expiring.pop(self._slot, set())
            self._slot += 1
        expired: list[Binding] = []
        for binding in self._late:
            if binding.expires_at <= now and binding.aor not in spared:
                expired.append(binding)
                if len(expired) == MOST_AT_ONCE:
                    break
        for binding in expired:
            aor = binding.aor
            self.put(aor, tuple([b for b in self.by_aor[aor] if b is not binding]))
        return expired

    @property
    def is_behind(self) -> bool:
        """Whether the last sweep left work for another."""
        return bool(self._late)
