"""Table 4: every timer where it belongs, and each one's times."""

import pytest

from ringback.transaction.events import TransactionTimedOut, TransportFailed
from ringback.transaction.machines import ACK, CLASSES, MACHINES, REQUEST, TERMINATED, TRANSPORT_ERROR
from ringback.transaction.timers import DEFAULT_TIMERS, TIMERS, Timer, TimerValues
from tests.transaction.party import Party, our_request, request, response

NOT_TIMERS = {REQUEST, ACK, TRANSPORT_ERROR, "100", "408", "2xx", "100 over a reliable transport", *CLASSES}


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: f"{timer.machine.name} {timer.name}")
def test_a_timer_has_a_row_in_each_state_it_runs_in_and_nowhere_else(timer: Timer) -> None:
    assert set(timer.states) == {state for state, name in timer.machine.rows if name == timer.name}


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: f"{timer.machine.name} {timer.name}")
def test_a_timer_that_repeats_stays_and_one_that_fires_once_moves_on_or_is_told_once(timer: Timer) -> None:
    for state, growth in timer.states.items():
        following = timer.machine.rows[state, timer.name][0]
        if growth is not None:
            assert following == state
        elif timer.name != "100 due":
            assert following == TERMINATED


def test_every_input_that_is_no_message_is_a_timer() -> None:
    for machine in MACHINES:
        names = {name for _, name in machine.rows} - NOT_TIMERS
        assert names == {timer.name for timer in TIMERS if timer.machine is machine}


def test_table_4() -> None:
    # RFC 3261 appendix A, with L and M of RFC 6026; timer C is the proxy's.
    seconds = {timer.name: (timer.first(DEFAULT_TIMERS), timer.reliable and timer.reliable(DEFAULT_TIMERS)) for timer in TIMERS}
    del seconds["100 due"], seconds["expiry"], seconds["cancelled"]
    assert seconds == {
        "A": (0.5, None),
        "B": (32, 32),
        "D": (32, 0),
        "E": (0.5, None),
        "F": (32, 32),
        "G": (0.5, None),
        "H": (32, 32),
        "I": (5, 0),
        "J": (32, 0),
        "K": (5, 0),
        "L": (32, 32),
        "M": (32, 32),
    }


def test_timer_d_never_falls_below_32_seconds() -> None:
    [timer] = [timer for timer in TIMERS if timer.name == "D"]
    assert timer.first(TimerValues(t1=0.1)) == 32
    assert timer.first(TimerValues(t1=1.0)) == 64


@pytest.mark.parametrize(
    ("values", "seconds"), [(TimerValues(), 3.5), (TimerValues(0.5, 3.0), 3.5), (TimerValues(1.0, 4.0), 3.0), (TimerValues(4.0, 4.0), 0.0)]
)
def test_100_for_a_non_invite_is_due_when_timer_e_reaches_t2(values: TimerValues, seconds: float) -> None:
    [timer] = [timer for timer in TIMERS if timer.name == "100 due" and timer.machine.name == "non-INVITE server"]
    assert timer.first(values) == seconds


def test_timer_a_doubles_until_timer_b_ends_it() -> None:
    party = Party()
    transaction = party.ask(our_request())
    log = party.pass_time(100)
    assert log == [(0.5, "INVITE"), (1.5, "INVITE"), (3.5, "INVITE"), (7.5, "INVITE"), (15.5, "INVITE"), (31.5, "INVITE")]
    [event] = party.layer.take_events()
    assert isinstance(event, TransactionTimedOut)
    assert event.transaction is transaction
    assert transaction.is_terminated
    assert not party.layer.clients


def test_timer_b_fires_after_64_t1() -> None:
    party = Party()
    party.ask(our_request())
    party.pass_time(31.99)
    assert not party.layer.take_events()
    party.pass_time(32.0)
    assert len(party.layer.take_events()) == 1


def test_timer_a_stops_at_a_provisional_response() -> None:
    party = Party()
    transaction = party.ask(our_request())
    party.pass_time(0.7)
    party.hear(response("INVITE", 180))
    assert party.pass_time(500) == []
    assert transaction.state == "Proceeding"


def test_timer_a_does_not_run_over_a_reliable_transport_but_b_does() -> None:
    party = Party("TCP")
    party.ask(our_request(transport="TCP"))
    assert party.pass_time(100) == []
    assert isinstance(party.layer.take_events()[0], TransactionTimedOut)


def test_timer_e_doubles_up_to_t2_until_timer_f_ends_it() -> None:
    party = Party()
    party.ask(our_request("OPTIONS"))
    times = [time for time, _ in party.pass_time(100)]
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert isinstance(party.layer.take_events()[0], TransactionTimedOut)


def test_timer_e_runs_at_t2_once_a_provisional_response_came() -> None:
    party = Party()
    party.ask(our_request("OPTIONS"))
    party.pass_time(0.6)
    party.hear(response("OPTIONS", 100))
    assert [time for time, _ in party.pass_time(100)] == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert isinstance(party.layer.take_events()[0], TransactionTimedOut)


def test_timer_e_does_not_run_over_a_reliable_transport_but_f_does() -> None:
    party = Party("TCP")
    party.ask(our_request("OPTIONS", transport="TCP"))
    assert party.pass_time(31.9) == []
    assert not party.layer.take_events()
    party.pass_time(32)
    assert isinstance(party.layer.take_events()[0], TransactionTimedOut)


def test_timer_d_keeps_a_refused_invite_for_32_seconds() -> None:
    party = Party()
    transaction = party.ask(our_request())
    party.hear(response("INVITE", 486))
    party.pass_time(31.9)
    assert not transaction.is_terminated
    party.pass_time(32)
    assert transaction.is_terminated
    assert not party.layer.take_events()


def test_timer_k_keeps_an_answered_request_for_t4() -> None:
    party = Party()
    transaction = party.ask(our_request("OPTIONS"))
    party.hear(response("OPTIONS", 200))
    party.pass_time(4.9)
    assert transaction.state == "Completed"
    party.pass_time(5)
    assert transaction.is_terminated


def test_timer_m_keeps_an_accepted_invite_for_64_t1() -> None:
    party = Party()
    transaction = party.ask(our_request())
    party.hear(response("INVITE", 200))
    party.pass_time(31.9)
    assert transaction.state == "Accepted"
    party.pass_time(32)
    assert transaction.is_terminated


def test_timer_g_doubles_up_to_t2_until_timer_h_gives_up_on_the_ack() -> None:
    party = Party()
    transaction = party.serve(request())
    assert party.answer(transaction, 486) == ["486"]
    times = [time for time, _ in party.pass_time(100)]
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    [event] = party.layer.take_events()
    assert isinstance(event, TransactionTimedOut)
    assert event.transaction is transaction
    assert not party.layer.servers


def test_timer_g_does_not_run_over_a_reliable_transport_but_h_does() -> None:
    party = Party("TCP")
    transaction = party.serve(request(transport="TCP"))
    party.answer(transaction, 486)
    assert party.pass_time(100) == []
    assert isinstance(party.layer.take_events()[0], TransactionTimedOut)


def test_timer_i_absorbs_further_acks_for_t4() -> None:
    party = Party()
    transaction = party.serve(request())
    party.answer(transaction, 486)
    assert party.hear(request("ACK", to_tag="tt")) == []
    assert transaction.state == "Confirmed"
    assert party.pass_time(4.9) == []
    assert party.hear(request("ACK", to_tag="tt")) == []
    party.pass_time(5)
    assert transaction.is_terminated


def test_timer_j_answers_retransmissions_for_64_t1() -> None:
    party = Party()
    transaction = party.serve(request("OPTIONS"))
    party.answer(transaction, 200)
    party.pass_time(31.9)
    party.hear(request("OPTIONS"))
    assert party.sent() == ["200"]
    party.pass_time(32)
    assert transaction.is_terminated
    assert not party.layer.servers


def test_timer_l_absorbs_retransmissions_of_an_accepted_invite_for_64_t1() -> None:
    party = Party()
    transaction = party.serve(request())
    party.answer(transaction, 200)
    party.pass_time(31.9)
    assert party.hear(request()) == []
    assert party.sent() == []
    party.pass_time(32)
    assert transaction.is_terminated


@pytest.mark.parametrize(("method", "status"), [("INVITE", 486), ("OPTIONS", 200)])
def test_d_and_k_are_zero_over_a_reliable_transport(method: str, status: int) -> None:
    party = Party("TCP")
    transaction = party.ask(our_request(method, transport="TCP"))
    answer = response(method, status)
    assert len(party.hear(answer)) == 1
    assert transaction.is_terminated
    assert not party.layer.clients
    assert party.sent() == (["ACK"] if method == "INVITE" else [])


def test_i_and_j_are_zero_over_a_reliable_transport() -> None:
    party = Party("TCP")
    invite = party.serve(request(transport="TCP"))
    party.answer(invite, 486)
    party.hear(request("ACK", transport="TCP", to_tag="tt"))
    assert invite.is_terminated
    options = party.serve(request("OPTIONS", "z9hG4bKb", transport="TCP"))
    assert party.answer(options, 200) == ["200"]
    assert options.is_terminated
    assert not party.layer.servers


def test_an_invite_hears_100_after_200_ms_if_nobody_said_anything() -> None:
    party = Party()
    transaction = party.serve(request())
    assert party.pass_time(10) == [(0.2, "100")]
    assert transaction.state == "Proceeding"


def test_the_100_of_the_layer_bears_no_tag() -> None:
    party = Party()
    party.serve(request(extra="Timestamp: 54\n"))
    party.layer.advance(0.2)
    [(trying, flow)] = party.sent_whole()
    assert flow == party.flow
    assert trying.to_tag is None
    # §8.2.6.1: the Timestamp goes back.
    assert trying.headers.text("Timestamp") == "54"


def test_an_invite_hears_no_100_of_the_layer_where_its_user_was_quicker() -> None:
    party = Party()
    transaction = party.serve(request())
    assert party.answer(transaction, 180) == ["180"]
    assert party.pass_time(10) == []


def test_another_request_hears_100_when_timer_e_has_reached_t2_and_expires() -> None:
    for transport in ("UDP", "TCP"):
        party = Party(transport)
        transaction = party.serve(request("OPTIONS", transport=transport))
        party.pass_time(3.4)
        party.hear(request("OPTIONS", transport=transport))
        assert party.sent() == []
        assert party.pass_time(35) == [(3.5, "100")]
        assert not transaction.is_terminated
        party.pass_time(35.5)
        [event] = party.layer.take_events()
        assert isinstance(event, TransactionTimedOut)
        assert not party.layer.servers


def test_a_cancelled_invite_ends_64_t1_after_its_cancel() -> None:
    party = Party()
    invite = party.ask(our_request())
    party.hear(response("INVITE", 180))
    party.pass_time(100)
    party.ask(our_request("CANCEL"))
    party.hear(response("CANCEL", 200))
    party.pass_time(131.9)
    assert invite.state == "Proceeding"
    party.pass_time(132)
    [event] = party.layer.take_events()
    assert isinstance(event, TransactionTimedOut)
    assert event.transaction is invite
    assert not party.layer.clients


def test_a_cancelled_invite_that_is_refused_in_time_ends_as_any_other() -> None:
    party = Party()
    invite = party.ask(our_request())
    party.hear(response("INVITE", 180))
    party.ask(our_request("CANCEL"))
    assert len(party.hear(response("INVITE", 487))) == 1
    assert invite.state == "Completed"
    events = party.run_out()
    assert [event.transaction for event in events if isinstance(event, TransactionTimedOut)] != [invite]
    assert not any(isinstance(event, TransportFailed) for event in events)


def test_other_values_scale_every_timer() -> None:
    party = Party(timers=TimerValues(t1=0.1, t2=0.4, t4=1.0))
    party.ask(our_request("OPTIONS"))
    times = [time for time, _ in party.pass_time(2)]
    assert times == pytest.approx([0.1, 0.3, 0.7, 1.1, 1.5, 1.9])
    party.pass_time(6.5)
    assert isinstance(party.layer.take_events()[0], TransactionTimedOut)


def test_a_t1_above_t2_is_followed_by_t2() -> None:
    party = Party(timers=TimerValues(t1=5.0, t2=4.0))
    party.ask(our_request("OPTIONS"))
    assert [time for time, _ in party.pass_time(18)] == [5, 9, 13, 17]


def test_the_timers_of_one_transaction_fire_in_order_after_a_leap_of_time() -> None:
    party = Party()
    party.ask(our_request())
    party.layer.advance(40.0)
    assert party.sent() == ["INVITE"]
    assert isinstance(party.layer.take_events()[0], TransactionTimedOut)
    assert party.pass_time(200) == []
    assert party.layer.next_deadline() is None


def test_the_deadline_is_never_too_late() -> None:
    party = Party()
    assert party.layer.next_deadline() is None
    party.ask(our_request("OPTIONS"))
    assert party.layer.next_deadline() == 0.5
    party.now = 0.4
    party.serve(request())
    assert party.layer.next_deadline() == 0.5
    party.layer.advance(0.45)
    assert party.layer.next_deadline() == 0.5
    party.layer.advance(0.5)
    assert party.layer.next_deadline() == pytest.approx(0.6)
