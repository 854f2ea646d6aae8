"""The one interpreter of the tables in `machines.py` and `timers.py`.

The tables are compiled, once for each set of timer values, into a dict of rows for each state: `transaction.rows[input]` is all that
happens next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ringback.address import Flow
from ringback.transaction.actions import ACTIONS, TELLING, drop_user, leave_clients, leave_servers
from ringback.transaction.events import Event
from ringback.transaction.machines import CLASSES, MACHINES, ONLY_100, ONLY_100_RELIABLE, REQUEST, START, TERMINATED, Machine
from ringback.transaction.timers import TIMERS, Timer, TimerValues
from ringback.transaction.transaction import ClientTransaction, ServerTransaction, Transaction

NEVER = float("inf")

Starts = tuple[tuple[float, str], ...]
Action = Callable[["Medium", Any, Any, Any], None]


class Row:
    """What one input does in one state: actions, the next state with its rows, the timers that start with it."""

    __slots__ = ("actions", "again", "rows", "starts", "state")

    def __init__(self, actions: tuple[Action, ...], state: str, rows: Rows, starts: Starts, again: dict[float, float] | None) -> None:
        self.actions = actions
        self.state = state
        self.rows = rows
        self.starts = starts
        self.again = again
        """Of a timer that repeats: its next delay by its last."""


Rows = dict[str, Row]


class Medium:
    """What the transactions of one layer share: their tables, what they have to send and to tell, the timers that run.

    There is one queue for each delay: what starts later is due later, so every queue is in order by itself. No state is entered twice,
    so an entry whose transaction has no row for its timer is over and is passed by.
    """

    def __init__(self, values: TimerValues) -> None:
        self.clients: dict[str, ClientTransaction] = {}
        self.servers: dict[str, ServerTransaction] = {}
        self.ack_keys: dict[str, str] = {}
        """For clients without the magic cookie: the key of the ACK by the key of its INVITE."""
        self.outgoing: list[tuple[bytes, Flow]] = []
        self.events: list[Event] = []
        self.deadline = NEVER
        """Never later than the first timer due."""
        self.queues: dict[float, deque[tuple[float, Transaction, str]]] = {delay: deque() for delay in _delays(values)}

    def step(self, transaction: Transaction, row: Row, now: float, message: Any = None, flow: Flow | None = None) -> None:
        """Does what a row says. `message` and `flow` are the input's own, where it is more than a timer."""
        for action in row.actions:
            action(self, transaction, message, flow)
        if row.rows is not transaction.rows:
            transaction.state = row.state
            transaction.rows = row.rows
            self.start(transaction, row.starts, now)

    def start(self, transaction: Transaction, timers: Starts, now: float) -> None:
        """Starts timers, each a first delay and a name."""
        for delay, timer in timers:
            deadline = now + delay
            self.queues[delay].append((deadline, transaction, timer))
            if deadline < self.deadline:
                self.deadline = deadline

    def fire(self, now: float) -> None:
        """Fires every timer due, those of one transaction in their order, and finds the next deadline."""
        first = self.deadline = NEVER
        for delay, queue in self.queues.items():
            while queue:
                deadline, transaction, timer = queue[0]
                row = transaction.rows.get(timer)
                if row is not None and deadline > now:
                    if deadline < first:
                        first = deadline
                    break
                queue.popleft()
                if row is not None:
                    self.step(transaction, row, now)
                    if row.again is not None:
                        self.start(transaction, ((row.again[delay], timer),), now)
        if first < self.deadline:
            self.deadline = first


@lru_cache(maxsize=16)
def start_rows(values: TimerValues) -> dict[tuple[str, bool], Row]:
    """How each machine begins, by its name and whether the transport is reliable; every other row hangs from there."""
    return {(machine.name, reliable): _compiled(machine, values, reliable) for machine in MACHINES for reliable in (False, True)}


def _compiled(machine: Machine, values: TimerValues, reliable: bool) -> Row:
    states: dict[str, Rows] = {state: {} for state in machine.states}
    # An input that stands for itself is more exact than one that stands for several: it comes later and overwrites.
    for (state, name), (following, *actions) in sorted(machine.rows.items(), key=lambda row: row[0][1] not in CLASSES):
        inputs = CLASSES.get(name, (name,))
        if name == ONLY_100_RELIABLE:
            inputs = (ONLY_100,) if reliable else ()
        row = _row(machine, values, reliable, states, state, name, following, actions)
        states[state].update(dict.fromkeys(inputs, row))
    return states[START][REQUEST]


def _row(
    machine: Machine,
    values: TimerValues,
    reliable: bool,
    states: dict[str, Rows],
    state: str,
    name: str,
    following: str,
    actions: list[str],
) -> Row:
    again = None
    starts: list[tuple[float, str]] = []
    timers = [timer for timer in TIMERS if timer.machine is machine]
    if following == state:
        for timer in timers:
            if timer.name == name and timer.states[state] is not None:
                again = {delay: _grown(timer, state, delay, values) for delay in _delays_of(timer, values)}
    while following != state:
        actions = actions + list(machine.forgets.get(following, ()))
        starts = []
        entered, state = state, following
        for timer in timers:
            delay = timer.reliable if reliable else timer.first
            if delay is None or not timer.armed_on_entry or state not in timer.states or entered in timer.states:
                continue
            seconds = delay(values)
            if seconds > 0:
                starts.append((seconds, timer.name))
            else:
                # Table 4: zero seconds over a reliable transport; such a state is left as soon as it is entered.
                following, *more = machine.rows[state, timer.name]
                actions = actions + more
    doings = [ACTIONS[action] for action in actions]
    if state == TERMINATED:
        doings.append(leave_clients if machine.is_client else leave_servers)
        if not TELLING.intersection(actions):
            doings.append(drop_user)
    return Row(tuple(doings), state, states[state], tuple(starts), again)


def _grown(timer: Timer, state: str, delay: float, values: TimerValues) -> float:
    growth = timer.states[state]
    return delay if growth is None else min(growth(delay, values), 64 * values.t1)


def _delays_of(timer: Timer, values: TimerValues) -> set[float]:
    """Every delay a timer may have, from the first to the one that no longer grows."""
    found = {timer.first(values)}
    fresh = found.copy()
    while fresh:
        fresh = {_grown(timer, state, delay, values) for delay in fresh for state in timer.states} - found
        found |= fresh
    return found


def _delays(values: TimerValues) -> list[float]:
    """Every delay of every timer, the shortest first: so the timers of one transaction fire in their order even when time has leapt."""
    return sorted(set().union(*(_delays_of(timer, values) for timer in TIMERS)))
