"""The pytest plugin: `sip_network`, `sip_agent` and `sip_server`, and `async def` tests in simulated time.

It is loaded with pytest wherever Ringback is installed, and touches no test that asks for none of it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, TypeVar

import pytest

from ringback.testing.loop import HungError
from ringback.testing.network import Network
from ringback.testing.play import LeftoverError, Play
from ringback.testing.stage import AgentFactory, ServerFactory

T = TypeVar("T")

_PLAY = pytest.StashKey[Play]()
_ROOT = "_sip_play"


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers",
        "sip(ends_at=86_400, patience=0, **network): runs an `async def` test in simulated time, on a network with this delay, loss, seed",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """A marked test runs in simulated time whatever fixtures it asks for."""
    if isinstance(item, pytest.Function) and item.get_closest_marker("sip") is not None and _ROOT not in item.fixturenames:
        item.fixturenames.insert(0, _ROOT)


# The fixtures.


@pytest.fixture(name=_ROOT)
def _sip_play(request: pytest.FixtureRequest) -> Iterator[Play]:
    """The loop and the stage of this test."""
    __tracebackhide__ = True
    marker = request.node.get_closest_marker("sip")
    play = request.node.stash[_PLAY] = Play(**({} if marker is None else marker.kwargs))
    yield play
    _plainly(play.close)


@pytest.fixture
def sip_network(_sip_play: Play) -> Network:
    """The simulated network of this test: `.delay`, `.loss`, `.cut(…)`, `.log`, and `.ladder()`, which is in the report of a failure."""
    return _sip_play.stage.network


@pytest.fixture
def sip_agent(_sip_play: Play, request: pytest.FixtureRequest) -> AgentFactory:
    """`await sip_agent("alice", password=…, on_call=…)` gives an open `UserAgent` on a host of its own; it is closed after the test.

    It is `sip:alice@DOMAIN` where a `sip_server` has that domain, else `sip:alice@alice.test`; `registered=True` registers it.
    """
    _only_for_coroutines(request)
    return _sip_play.stage.agent


@pytest.fixture
def sip_server(_sip_play: Play, request: pytest.FixtureRequest) -> ServerFactory:
    """`await sip_server(domains=["example.com"], users={"alice": "secret"})` gives a running `Server`; it is closed after the test.

    With users everybody must prove who he is (digest); without, everybody may register and call.
    """
    _only_for_coroutines(request)
    return _sip_play.stage.server


def _only_for_coroutines(request: pytest.FixtureRequest) -> None:
    if _coroutine_function(getattr(request.node, "obj", None)) is None:
        pytest.fail(f"{request.fixturename} is for tests that are `async def`", pytrace=False)


# How coroutines are run.


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs an `async def` test that has a stage, before any other plugin does: what stands on the stage lives on its loop."""
    __tracebackhide__ = True
    play = pyfuncitem.stash.get(_PLAY, None)
    test = _coroutine_function(pyfuncitem.obj)
    if play is None or test is None:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    _plainly(lambda: play.perform(test(**arguments), pyfuncitem.name))
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
    """Runs `async def` fixtures of such a test on the same loop; those of a wider scope are another plugin's affair."""
    function: Callable[..., Any] = fixturedef.func
    is_generator = inspect.isasyncgenfunction(function)
    if fixturedef.scope != "function" or not (is_generator or inspect.iscoroutinefunction(function)) or _ROOT not in request.fixturenames:
        return (yield)
    play: Play = request.getfixturevalue(_ROOT)
    if inspect.ismethod(function) and request.instance is not None:
        # pytest does this for what it calls itself: a fixture of a class belongs to the instance of this test.
        function = function.__func__.__get__(request.instance)
    name = f"fixture {fixturedef.argname}"
    instead = _generator(play, function, name) if is_generator else _function(play, function, name)
    # What another plugin would make of the function does not happen, since it sees none that is asynchronous.
    original, fixturedef.func = fixturedef.func, instead  # type: ignore[misc]  # final for fixtures' authors, and put back below
    try:
        return (yield)
    finally:
        fixturedef.func = original  # type: ignore[misc]  # as above


def _function(play: Play, function: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Any]:
    def value(**arguments: Any) -> Any:
        __tracebackhide__ = True
        return _plainly(lambda: play.run(function(**arguments), name))

    return value


def _generator(play: Play, function: Callable[..., AsyncIterator[Any]], name: str) -> Callable[..., Iterator[Any]]:
    def values(**arguments: Any) -> Iterator[Any]:
        __tracebackhide__ = True
        generator = function(**arguments)
        yield _plainly(lambda: play.run(anext(generator), name))
        if _plainly(lambda: play.run(anext(generator, _ROOT), name)) is not _ROOT:
            pytest.fail(f"{name} yields more than once", pytrace=False)

    return values


def _coroutine_function(function: Any) -> Callable[..., Awaitable[None]] | None:
    """The coroutine function that a test is, also where another plugin has wrapped it; None where it is none."""
    while not inspect.iscoroutinefunction(function):
        function = getattr(function, "__wrapped__", None)
        if function is None:
            return None
    found: Callable[..., Awaitable[None]] = function
    return found


def _plainly(action: Callable[[], T]) -> T:
    """Does something; if it never ends, or leaves calls behind, says what waits where and shows no line of ours."""
    __tracebackhide__ = True
    try:
        return action()
    except HungError as hung:
        text = "\n    ".join(f"HungError: {hung}".split("; "))
    except LeftoverError as leftover:
        text = f"LeftoverError: {leftover}"
    # Where all lines are hidden pytest would say so.
    __tracebackhide__ = False
    pytest.fail(text, pytrace=False)


# What a report shows.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the ladder to the report of a failure, and what an `on_call` raised before it."""
    report = yield
    play = item.stash.get(_PLAY, None)
    if report.failed and play is not None:
        report.sections += [("raised where nobody waited for it", text) for text in play.faults()]
        if figure := play.ladder():
            report.sections.append(("SIP ladder", figure))
    return report
