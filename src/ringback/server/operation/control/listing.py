"""Long lists, looked through without holding up the messages that come meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, TypeVar

from msgspec import Meta

Limit = Annotated[int, Meta(ge=0, le=10_000)]
"""How many of what is found are listed; all of it is counted."""

DEFAULT_LIMIT = 1_000

# Looking at so many takes well under a millisecond or two.
_SLICE = 2_000

_T = TypeVar("_T")


async def leisurely(values: Iterable[_T]) -> AsyncIterator[_T]:
    """The values as they are now, one by one; between every few of them the loop has its turn."""
    # A copy: what is looked through changes meanwhile.
    every = list(values)
    for start in range(0, len(every), _SLICE):
        for value in every[start : start + _SLICE]:
            yield value
        await asyncio.sleep(0)
