"""Lines for the operator about peers: the first of each sort at once, then a number."""

from __future__ import annotations

import asyncio

from ringback.testing import run
from ringback.transport.complaint import Complaints


def test_a_flood_is_one_line_in_ten_seconds() -> None:
    async def scene() -> list[str]:
        lines: list[str] = []
        complain = Complaints(lines.append)
        for second in range(25):
            for number in range(100):
                complain("noise", f"noise {second}.{number}")
            if second in (3, 4):
                complain("smoke", f"smoke {second}")
            await asyncio.sleep(1)
        return lines

    assert run(scene()) == ["noise 0.0", "smoke 3", "noise 10.0 (and 999 more like it)", "noise 20.0 (and 999 more like it)"]
