"""Table 4 of RFC 3261 (appendix A) with RFC 6026's L and M and RFC 4320's 100: in which states a timer runs, and how it grows."""

from collections.abc import Callable
from typing import NamedTuple

from ringback.transaction.machines import (
    ACCEPTED,
    CALLING,
    CANCELLED,
    COMPLETED,
    CONFIRMED,
    EXPIRY,
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    PROCEEDING,
    TRYING,
    TRYING_DELAY,
    Machine,
)


class TimerValues(NamedTuple):
    """Seconds: T1, an estimate of the round-trip time; T2, the longest pause between repetitions; T4, how long networks keep messages."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0


DEFAULT_TIMERS = TimerValues()


def _t1(values: TimerValues) -> float:
    return values.t1


def _t4(values: TimerValues) -> float:
    return values.t4


def _64_t1(values: TimerValues) -> float:
    return 64 * values.t1


def _at_least_32(values: TimerValues) -> float:
    """§17.1.1.2: timer D does not know the server's T1, so it never falls below 32 s."""
    return max(32.0, 64 * values.t1)


def _200_ms(_values: TimerValues) -> float:
    """§17.2.1: how soon an INVITE hears something."""
    return 0.2


def _e_reaches_t2(values: TimerValues) -> float:
    """RFC 4320 §4.1: when a client's timer E is set to T2 for the first time; 3.5 s by default."""
    elapsed, delay = 0.0, values.t1
    while delay < values.t2:
        elapsed += delay
        delay = min(2 * delay, values.t2)
    return elapsed


def _zero(_values: TimerValues) -> float:
    return 0.0


Delay = Callable[[TimerValues], float]
Growth = Callable[[float, TimerValues], float]


def _doubled(delay: float, _values: TimerValues) -> float:
    return 2 * delay


def _doubled_to_t2(delay: float, values: TimerValues) -> float:
    return min(2 * delay, values.t2)


def _at_t2(_delay: float, values: TimerValues) -> float:
    return values.t2


class Timer(NamedTuple):
    """One line of table 4.

    `states` gives for each state it runs in how its delay grows after it fired there, None where it fires once. `first` is the first
    delay, `reliable` that over a reliable transport (None: it does not run there). One not `armed_on_entry` waits for a cause of its own.
    """

    name: str
    machine: Machine
    states: dict[str, Growth | None]
    first: Delay
    reliable: Delay | None
    armed_on_entry: bool = True


TIMERS = (
    Timer("A", INVITE_CLIENT, {CALLING: _doubled}, _t1, None),
    Timer("B", INVITE_CLIENT, {CALLING: None}, _64_t1, _64_t1),
    Timer("D", INVITE_CLIENT, {COMPLETED: None}, _at_least_32, _zero),
    Timer("M", INVITE_CLIENT, {ACCEPTED: None}, _64_t1, _64_t1),
    Timer(CANCELLED, INVITE_CLIENT, {PROCEEDING: None}, _64_t1, _64_t1, armed_on_entry=False),
    Timer("E", NON_INVITE_CLIENT, {TRYING: _doubled_to_t2, PROCEEDING: _at_t2}, _t1, None),
    Timer("F", NON_INVITE_CLIENT, {TRYING: None, PROCEEDING: None}, _64_t1, _64_t1),
    Timer("K", NON_INVITE_CLIENT, {COMPLETED: None}, _t4, _zero),
    Timer(TRYING_DELAY, INVITE_SERVER, {PROCEEDING: None}, _200_ms, _200_ms),
    Timer("G", INVITE_SERVER, {COMPLETED: _doubled_to_t2}, _t1, None),
    Timer("H", INVITE_SERVER, {COMPLETED: None}, _64_t1, _64_t1),
    Timer("I", INVITE_SERVER, {CONFIRMED: None}, _t4, _zero),
    Timer("L", INVITE_SERVER, {ACCEPTED: None}, _64_t1, _64_t1),
    Timer(TRYING_DELAY, NON_INVITE_SERVER, {TRYING: None}, _e_reaches_t2, _e_reaches_t2),
    Timer(EXPIRY, NON_INVITE_SERVER, {PROCEEDING: None}, _64_t1, _64_t1),
    Timer("J", NON_INVITE_SERVER, {COMPLETED: None}, _64_t1, _zero),
)
"""Every timer of the four machines. Timer C (§16.6 item 11) is the proxy's own."""
