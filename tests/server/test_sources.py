"""Which sources have proved themselves, and how much the others may ask for at once."""

from ringback.server import sources
from ringback.server.sources import Sources


def test_an_unknown_source_may_open_so_many() -> None:
    known = Sources(3)
    for _ in range(3):
        assert known.may_open("a", 0.0)
        known.opened("a")
    assert not known.may_open("a", 0.0)
    assert known.may_open("b", 0.0)
    known.closed("a")
    assert known.may_open("a", 0.0)


def test_nothing_is_kept_of_a_source_with_nothing_open() -> None:
    known = Sources(3)
    known.opened("a")
    known.opened("a")
    for _ in range(4):
        known.closed("a")
    assert known._half_open == {}


def test_a_proven_source_may_open_any_number_for_a_day() -> None:
    known = Sources(0)
    assert not known.is_proven("a", 0.0)
    known.prove("a", 10.0)
    assert known.may_open("a", 86_409.0)
    assert not known.may_open("b", 11.0)
    assert not known.is_proven("a", 86_410.0)
    known.prove("a", 86_500.0)
    assert known.is_proven("a", 86_500.0)


def test_only_so_many_are_remembered() -> None:
    known = Sources(0)
    for index in range(sources._MOST_REMEMBERED + 5):
        known.prove(f"h{index}", 0.0)
    assert len(known._proven) == sources._MOST_REMEMBERED
    assert not known.is_proven("h0", 1.0)
    assert known.is_proven(f"h{sources._MOST_REMEMBERED + 4}", 1.0)
    known.prove("h10", 5.0)
    assert len(known._proven) == sources._MOST_REMEMBERED
