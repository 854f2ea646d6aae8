"""Where a task waits: in the program's own line, however deep in libraries that is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator

import pytest

from ringback import IncomingCall
from ringback.testing import Stage, run
from ringback.testing.waiting import place_of


async def inner() -> None:
    await asyncio.Event().wait()


async def outer() -> None:
    await inner()


async def in_a_timeout() -> None:
    async with asyncio.timeout(100):
        await asyncio.sleep(50)


class Waiting:
    def __await__(self) -> Generator[object, None, None]:
        yield from asyncio.sleep(50).__await__()


async def in_an_awaitable() -> None:
    await Waiting()


async def numbers() -> AsyncIterator[int]:
    await asyncio.sleep(50)
    yield 1


async def in_a_loop() -> None:
    async for _ in numbers():
        raise AssertionError("it waits before the first one")


@pytest.mark.parametrize(
    ("wait", "name"), [(outer, "inner"), (in_a_timeout, "in_a_timeout"), (in_an_awaitable, "__await__"), (in_a_loop, "in_a_loop")]
)
def test_a_task_waits_in_the_innermost_line_of_the_program(wait: Callable[[], Awaitable[None]], name: str) -> None:
    async def scenario() -> str:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(1)
        assert isinstance(task, asyncio.Task)
        place = place_of(task)
        task.cancel()
        return place

    place = run(scenario())
    assert "test_waiting.py:" in place
    assert place.endswith(f" in {name}")


def test_the_coroutine_of_a_call_is_found_behind_what_drives_it() -> None:
    async def menu(call: IncomingCall) -> None:
        await call.answer()
        await call.read_digit()

    async def scenario() -> list[str]:
        async with Stage() as stage:
            reception = await stage.agent("reception", on_call=menu)
            alice = await stage.agent("alice")
            async with alice.call("sip:reception@reception.test"):
                return [place_of(task) for task in reception.core.tasks]

    places = run(scenario())
    assert len([place for place in places if place.endswith(" in menu")]) == 1


def test_what_only_a_library_waits_for_is_named_by_its_own_line() -> None:
    async def scenario() -> str:
        task = asyncio.ensure_future(asyncio.Event().wait())
        await asyncio.sleep(1)
        place = place_of(task)
        task.cancel()
        return place

    assert run(scenario()).endswith(" in wait")
