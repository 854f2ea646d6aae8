"""The wait after a 491 (RFC 3261 §14.1)."""

import random

import pytest

from ringback.dialog.glare import back_off

ALMOST_ONE = 1 - 2**-53


def test_the_party_that_made_the_call_id_waits_2100_to_4000_ms() -> None:
    assert back_off(True, lambda: 0.0) == 2.1
    assert back_off(True, lambda: ALMOST_ONE) == 4.0


def test_the_other_waits_0_to_2000_ms() -> None:
    assert back_off(False, lambda: 0.0) == 0.0
    assert back_off(False, lambda: ALMOST_ONE) == 2.0


@pytest.mark.parametrize(("owns_call_id", "least", "most"), [(True, 210, 400), (False, 0, 200)])
def test_every_step_of_10_ms_comes_and_nothing_between(owns_call_id: bool, least: int, most: int, seed: int) -> None:
    chance = random.Random(seed).random
    steps = {back_off(owns_call_id, chance) * 100 for _ in range(20_000)}
    assert {round(step) for step in steps} == set(range(least, most + 1))
    assert all(abs(step - round(step)) < 1e-9 for step in steps)
