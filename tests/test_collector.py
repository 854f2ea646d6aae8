"""The garbage collector, calmed for as long as a program serves."""

import gc

from ringback.collector import calmed


def test_the_collector_is_calm_for_so_long_and_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with calmed():
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
