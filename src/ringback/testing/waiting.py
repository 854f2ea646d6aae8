"""Where a task waits, as whoever wrote the program would say it: the innermost line that is neither ours nor asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from ringback.agent.call.interruption import Interruptible

_LIBRARIES = (str(Path(__file__).parents[1]), str(Path(asyncio.__file__).parent))


def place_of(task: asyncio.Task[Any]) -> str:
    """`test_menu.py:12 in menu`, or that the task has not begun."""
    frames = list(_frames(task.get_coro()))
    if not frames or not task.get_stack(limit=1):
        return "not yet started"
    own = [frame for frame in frames if not is_ours(frame)]
    frame = (own or frames)[-1]
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is Ringback's or asyncio's, and not the program's."""
    return frame.f_code.co_filename.startswith(_LIBRARIES)


def _frames(awaited: Any) -> Iterator[FrameType]:
    """The frames of a suspended coroutine, the outermost first."""
    while awaited is not None:
        frame = next((found for kind in ("cr", "gi", "ag") if (found := getattr(awaited, f"{kind}_frame", None)) is not None), None)
        if frame is None:
            return
        yield frame
        around = frame.f_locals.get("self")
        if isinstance(around, Interruptible) and hasattr(awaited, "gi_frame"):
            # It drives its coroutine by hand, so that Python knows of no link between the two.
            awaited = around.coroutine
        else:
            names = ("cr_await", "gi_yieldfrom", "ag_await")
            awaited = next((inner for name in names if (inner := getattr(awaited, name, None)) is not None), None)
