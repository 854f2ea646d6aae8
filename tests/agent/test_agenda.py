"""Alarms in queues of one length each."""

from ringback.agent.agenda import Agenda


def test_alarms_ring_when_they_are_due_and_not_before() -> None:
    rung: list[str] = []
    agenda = Agenda()
    assert agenda.next_deadline() is None
    agenda.after(60, 0.0, lambda: rung.append("first minute"))
    agenda.after(0.5, 1.0, lambda: rung.append("half a second"))
    agenda.after(60, 2.0, lambda: rung.append("second minute"))
    assert agenda.next_deadline() == 1.5
    agenda.advance(1.4)
    assert rung == []
    agenda.advance(60.0)
    assert rung == ["first minute", "half a second"]
    assert agenda.next_deadline() == 62.0
    agenda.advance(62.0)
    assert rung[2:] == ["second minute"]
    assert agenda.next_deadline() is None


def test_what_is_cancelled_does_not_ring_and_is_nobodys_deadline() -> None:
    rung: list[str] = []
    agenda = Agenda()
    cancelled = agenda.after(1, 0.0, lambda: rung.append("cancelled"))
    agenda.after(1, 0.5, lambda: rung.append("rung"))
    behind = agenda.after(1, 0.7, lambda: rung.append("cancelled behind"))
    cancelled.cancel()
    behind.cancel()
    assert agenda.next_deadline() == 1.5
    agenda.advance(2.0)
    assert rung == ["rung"]


def test_an_alarm_may_arm_others() -> None:
    rung: list[float] = []
    agenda = Agenda()

    def again() -> None:
        rung.append(1.0)
        agenda.after(7, 1.0, lambda: rung.append(8.0))

    agenda.after(1, 0.0, again)
    agenda.advance(1.0)
    agenda.advance(8.0)
    assert rung == [1.0, 8.0]
