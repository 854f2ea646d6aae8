"""Simulated time: the clock jumps, threads are waited for, and a hang is an error."""

import asyncio
import threading
import time

import pytest

from ringback.testing import HungError, SimulatedTimeLoop, run


def test_an_hour_passes_at_once_and_the_clock_reads_exactly() -> None:
    async def sleep_long() -> list[float]:
        loop = asyncio.get_running_loop()
        moments = [loop.time()]
        for seconds in (0.1, 0.2, 3599.7):
            await asyncio.sleep(seconds)
            moments.append(loop.time())
        return moments

    started = time.monotonic()
    assert run(sleep_long()) == [0.0, 0.1, 0.3, 3600.0]
    assert time.monotonic() - started < 60


def test_timers_fire_in_order_of_their_moments() -> None:
    async def arm() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        fired: list[tuple[str, float]] = []
        for name, delay in (("late", 64.0), ("early", 0.5), ("middle", 32.0)):
            loop.call_later(delay, lambda name=name: fired.append((name, loop.time())))
        loop.call_later(1.0, fired.append, ("cancelled", 1.0)).cancel()
        await asyncio.sleep(100)
        return fired

    assert run(arm()) == [("early", 0.5), ("middle", 32.0), ("late", 64.0)]


def test_waiting_for_ever_is_an_error_that_names_the_test_and_the_line() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(HungError, match=r"test_waiting_for_ever.*Task-\d+ waits at .*test_loop\.py:\d+"):
        run(wait())


def test_a_timer_that_re_arms_itself_does_not_hide_a_hang() -> None:
    async def wait() -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_later(1.0, again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(HungError, match="passed 50 s"):
        run(wait(), ends_at=50)


def test_timeouts_of_asyncio_fire_in_simulated_time() -> None:
    async def give_up() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(32):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run(give_up()) == 32.0


def test_executor_work_is_waited_for_while_the_clock_stands() -> None:
    async def work() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        loop.call_later(5, lambda: None)
        result = await loop.run_in_executor(None, lambda: 42)
        return result, loop.time()

    assert run(work()) == (42, 0.0)


def test_an_executor_that_fails_frees_the_clock() -> None:
    async def work() -> float:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        await asyncio.sleep(7)
        return asyncio.get_running_loop().time()

    assert run(work()) == 7.0


def test_patience_lets_a_thread_of_ones_own_answer() -> None:
    async def ask() -> str:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[str] = loop.create_future()
        loop.call_later(1, answered.cancel)
        thread = threading.Timer(0.02, lambda: loop.call_soon_threadsafe(answered.set_result, "done"))
        thread.start()
        result = await answered
        thread.join()
        assert loop.time() == 0.0
        return result

    assert run(ask(), patience=10) == "done"


def test_as_a_context_manager_it_ends_what_was_left_running() -> None:
    ended = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("cancelled")

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(linger())
        await asyncio.sleep(1)
        return task

    with SimulatedTimeLoop() as loop:
        task = loop.run_until_complete(main())
        assert loop.time() == 1.0
        assert not task.done()
    assert ended == ["cancelled"]
    assert loop.is_closed()


def test_a_hang_without_any_task_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    with SimulatedTimeLoop() as loop, pytest.raises(HungError, match="no task exists"):
        loop.run_until_complete(loop.create_future())


def test_a_task_not_yet_started_is_named_so() -> None:
    async def never() -> None:
        raise AssertionError("it must not run")

    with SimulatedTimeLoop() as loop:
        task = loop.create_task(never(), name="idle")
        assert "idle waits at" in loop._waiting()
        task.cancel()


def test_with_asyncio_runner() -> None:
    async def main() -> float:
        await asyncio.sleep(3)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        assert runner.run(main()) == 3.0
