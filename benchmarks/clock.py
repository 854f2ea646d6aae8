"""CPU time of a small function, as the best of several rounds: the machine's noise only ever adds."""

import gc
import time
from collections.abc import Callable


def microseconds(function: Callable[[], object], rounds: int = 9, seconds: float = 0.15) -> float:
    """CPU microseconds of one call of `function`: the fastest of `rounds` rounds of about `seconds` each."""
    function()
    count = 1
    while True:
        took = _round(function, count)
        if took > seconds / 4:
            break
        count *= 4
    count = max(1, int(count * seconds / took))
    return min(_round(function, count) for _ in range(rounds)) / count * 1e6


def _round(function: Callable[[], object], count: int) -> float:
    gc.collect()
    begin = time.process_time()
    for _ in range(count):
        function()
    return time.process_time() - begin


def report(rows: list[tuple[str, float]], floor: float, floor_name: str) -> None:
    """Prints each row with its ratio to the floor."""
    print(f"{'':44} {'µs':>8}  × {floor_name}")
    for name, value in rows:
        print(f"{name:44} {value:8.2f}  {value / floor:5.2f}")
