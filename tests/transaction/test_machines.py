"""The four tables against the RFCs' figures, and what any table must be."""

import pytest

from ringback.transaction.interpreter import start_rows
from ringback.transaction.machines import (
    CLASSES,
    INPUT_OF_STATUS,
    INVITE_CLIENT,
    INVITE_SERVER,
    MACHINES,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    START,
    TERMINATED,
    Machine,
)
from ringback.transaction.timers import DEFAULT_TIMERS, TIMERS

# Each figure as it reads: state, input over the arrow, where it leads, what it does. An arrow that leaves "Calling" and "Proceeding"
# alike is two lines.
FIGURE_5 = """
Start      | request         | Calling    | send request
Calling    | A               | Calling    | send request
Calling    | B               | Terminated | inform TU of timeout
Calling    | transport error | Terminated | inform TU of transport error
Calling    | 1xx             | Proceeding | response to TU
Calling    | 2xx             | Accepted   | response to TU
Calling    | 300-699         | Completed  | send ACK, response to TU
Proceeding | 1xx             | Proceeding | response to TU
Proceeding | 2xx             | Accepted   | response to TU
Proceeding | 300-699         | Completed  | send ACK, response to TU
Completed  | 300-699         | Completed  | send ACK again
Completed  | transport error | Terminated | inform TU of transport error
Completed  | D               | Terminated |
Accepted   | 2xx             | Accepted   | response to TU
Accepted   | M               | Terminated |
"""
FIGURE_6 = """
Start      | request         | Trying     | send request
Trying     | E               | Trying     | send request
Trying     | F               | Terminated | inform TU of timeout
Trying     | transport error | Terminated | inform TU of transport error
Trying     | 1xx             | Proceeding | response to TU
Trying     | 200-699         | Completed  | response to TU
Proceeding | E               | Proceeding | send request
Proceeding | F               | Terminated | inform TU of timeout
Proceeding | transport error | Terminated | inform TU of transport error
Proceeding | 1xx             | Proceeding | response to TU
Proceeding | 200-699         | Completed  | response to TU
Completed  | K               | Terminated |
"""
FIGURE_7 = """
Start      | request         | Proceeding | request to TU
Proceeding | request         | Proceeding | send response again
Proceeding | 1xx             | Proceeding | send response
Proceeding | 2xx             | Accepted   | send response, keep nothing
Proceeding | 300-699         | Completed  | send response
Proceeding | transport error | Proceeding | inform TU of transport error
Completed  | request         | Completed  | send response again
Completed  | G               | Completed  | send response again
Completed  | ACK             | Confirmed  |
Completed  | H               | Terminated | inform TU of timeout
Completed  | transport error | Completed  | inform TU of transport error
Confirmed  | I               | Terminated |
Accepted   | 2xx             | Accepted   | send response, keep nothing
Accepted   | ACK             | Accepted   | ACK to TU
Accepted   | transport error | Accepted   | inform TU of transport error
Accepted   | L               | Terminated |
"""
FIGURE_8 = """
Start      | request         | Trying     | request to TU
Trying     | 200-699         | Completed  | send response
Proceeding | request         | Proceeding | send response again
Proceeding | 200-699         | Completed  | send response
Proceeding | transport error | Proceeding | inform TU of transport error
Completed  | request         | Completed  | send response again
Completed  | transport error | Completed  | inform TU of transport error
Completed  | J               | Terminated |
"""
# What no figure shows: the 200 ms of §17.2.1, §9.1's end of a cancelled request, RFC 4320 §4, RFC 6026 §8.8 where figure 8 shows no arrow.
BESIDE_THE_FIGURES = {
    INVITE_CLIENT.name: "Proceeding | cancelled | Terminated | inform TU of timeout",
    NON_INVITE_CLIENT.name: "",
    INVITE_SERVER.name: "Proceeding | 100 due | Proceeding | send 100 unless TU responded",
    NON_INVITE_SERVER.name: """
Trying     | 100 due         | Proceeding | send 100 unless TU responded
Trying     | 100 over a reliable transport | Proceeding | send response
Trying     | 408             | Completed  |
Trying     | transport error | Trying     | inform TU of transport error
Proceeding | 100             | Proceeding | send response
Proceeding | 408             | Completed  |
Proceeding | expiry          | Terminated | inform TU of timeout
""",
}
FIGURES = [(INVITE_CLIENT, FIGURE_5), (NON_INVITE_CLIENT, FIGURE_6), (INVITE_SERVER, FIGURE_7), (NON_INVITE_SERVER, FIGURE_8)]


def rows_of(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    rows = {}
    for line in text.strip().splitlines():
        state, name, following, actions = (part.strip() for part in line.split("|"))
        rows[state, name] = (following, *_actions(actions))
    return rows


def _actions(text: str) -> list[str]:
    if text == "send response, keep nothing":
        return [text]
    return [action for action in text.split(", ") if action]


def of(machine: Machine) -> str:
    return machine.name


@pytest.mark.parametrize(("machine", "figure"), FIGURES, ids=[machine.name for machine, _ in FIGURES])
def test_every_row_is_an_arrow_of_the_figure_and_every_arrow_a_row(machine: Machine, figure: str) -> None:
    assert machine.rows == rows_of(figure) | rows_of(BESIDE_THE_FIGURES[machine.name])


@pytest.mark.parametrize("machine", MACHINES, ids=of)
def test_every_state_is_reachable(machine: Machine) -> None:
    reached, fresh = {START}, {START}
    while fresh:
        fresh = {row[0] for (state, _), row in machine.rows.items() if state in fresh} - reached
        reached |= fresh
    assert reached == machine.states


@pytest.mark.parametrize("machine", MACHINES, ids=of)
def test_time_alone_ends_every_state_but_the_one_that_waits_for_a_person(machine: Machine) -> None:
    timers = {timer.name for timer in TIMERS if timer.machine is machine and timer.armed_on_entry}
    ending = {TERMINATED}
    for _ in machine.states:
        ending |= {state for (state, name), row in machine.rows.items() if name in timers and row[0] in ending}
    # An INVITE rings as long as people let it: timer C and CANCEL are for the transaction user.
    waits = {"Proceeding"} if machine in (INVITE_CLIENT, INVITE_SERVER) else set()
    assert machine.states - ending - {START} == waits


@pytest.mark.parametrize("machine", MACHINES, ids=of)
def test_nothing_leaves_terminated(machine: Machine) -> None:
    assert not [state for state, _ in machine.rows if state == TERMINATED]


@pytest.mark.parametrize("machine", MACHINES, ids=of)
def test_no_state_is_entered_twice(machine: Machine) -> None:
    # The queues of timers rest on this: an entry is over exactly when its transaction has left the timer's states.
    def successors(state: str) -> set[str]:
        return {row[0] for (start, _), row in machine.rows.items() if start == state and row[0] != state}

    for state in machine.states:
        reached, fresh = set[str](), successors(state)
        while fresh:
            reached |= fresh
            fresh = {further for one in fresh for further in successors(one)} - reached
        assert state not in reached


def test_a_status_is_the_input_that_its_class_says() -> None:
    for status in range(100, 700):
        name = "1xx" if status < 200 else "2xx" if status < 300 else "300-699"
        assert INPUT_OF_STATUS[status] in CLASSES.get(name, (name,))
        if status >= 200:
            assert INPUT_OF_STATUS[status] in CLASSES["200-699"]


@pytest.mark.parametrize("reliable", [False, True])
@pytest.mark.parametrize("machine", MACHINES, ids=of)
def test_compiled_rows_do_what_the_table_says(machine: Machine, *, reliable: bool) -> None:
    seen = {}
    fresh = [start_rows(DEFAULT_TIMERS)[machine.name, reliable]]
    while fresh:
        row = fresh.pop()
        if row.state not in seen:
            seen[row.state] = row.rows
            fresh += row.rows.values()
    for state, rows in seen.items():
        expected = set()
        for start, name in machine.rows:
            if start == state and not (name == "100 over a reliable transport" and not reliable):
                expected |= set(CLASSES.get(name, ("100",) if name == "100 over a reliable transport" else (name,)))
        assert set(rows) == expected
        for name, row in rows.items():
            assert row.rows is seen[row.state]
            assert (row.rows is rows) == (row.state == state), name
