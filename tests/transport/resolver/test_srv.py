"""Priorities and weights (RFC 2782, "Usage rules")."""

from collections.abc import Iterable

from ringback.address import Target
from ringback.transport.resolver.srv import Chance, Choice, Way


def _choice(rank: int, weight: int, number: int) -> Choice:
    return Choice(rank, weight, (Target("UDP", f"192.0.2.{number}", 5060),))


def _order(choices: Iterable[Choice], chance: Chance) -> list[str]:
    return [target.host[8:] for target in Way(list(choices)).targets(chance)]


def test_priority_comes_first_whatever_the_weight() -> None:
    assert _order([_choice(2, 65535, 1), _choice(1, 0, 2), _choice(3, 1, 3)], lambda: 0.5) == ["2", "1", "3"]


def test_chance_draws_by_the_running_sum() -> None:
    choices = [_choice(0, 1, 1), _choice(0, 3, 2), _choice(0, 0, 3)]
    # The sum is 4, so a fifth of all draws is for the weight of 0; after it, 4 are left for 1 and 3.
    assert _order(choices, lambda: 0.0) == ["3", "1", "2"]
    assert _order(choices, lambda: 0.3) == ["1", "2", "3"]
    assert _order(choices, lambda: 0.5) == ["2", "1", "3"]
    assert _order(choices, lambda: 0.999999) == ["2", "1", "3"]


def test_where_no_weight_is_given_all_come_once() -> None:
    choices = [_choice(0, 0, number) for number in range(4)]
    assert sorted(_order(choices, lambda: 0.7)) == ["0", "1", "2", "3"]


def test_one_target_named_twice_is_tried_once() -> None:
    assert _order([_choice(0, 5, 1), _choice(1, 5, 1), _choice(2, 5, 2)], lambda: 0.0) == ["1", "2"]


def test_where_chance_has_no_say_it_is_not_asked() -> None:
    def chance() -> float:
        raise AssertionError

    assert _order([_choice(1, 10, 1), _choice(2, 10, 2)], chance) == ["1", "2"]
    assert _order([], chance) == []


def test_a_thousand_servers_of_one_priority() -> None:
    hosts = _order([Choice(0, n, (Target("UDP", f"192.0.2.{n}", 5060),)) for n in range(1000)], lambda: 0.5)
    assert len(set(hosts)) == 1000
