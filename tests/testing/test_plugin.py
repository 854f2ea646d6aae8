"""The pytest plugin, as somebody who has installed Ringback meets it: their own test files, run by a pytest of their own."""

import pytest

from tests.architecture.tree import ROOT, SOURCE, imported_modules, python_files

pytest_plugins = ["pytester"]

INI = """
[pytest]
filterwarnings = error
asyncio_default_fixture_loop_scope = function
asyncio_mode = {mode}
"""

PROGRAM = """
import asyncio

import pytest

from ringback import CallRejected


async def menu(call):
    await call.answer()
    if await call.read_digit(timeout=10) == "1":
        await call.message("nine to five")


async def says_nothing(call):
    await call.answer()
    await asyncio.Event().wait()


async def breaks(call):
    await call.ring()
    raise KeyError("opening hours")
"""


@pytest.fixture(params=["strict", "auto"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both modes of pytest-asyncio, beside which the plugin must live."""
    return str(request.param)


def played(pytester: pytest.Pytester, tests: str, *options: str, mode: str = "strict") -> pytest.RunResult:
    """What pytest says of a file of tests."""
    pytester.makeini(INI.format(mode=mode))
    pytester.makepyfile(test_program=PROGRAM + tests)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_a_test_of_an_ivr_is_ten_lines_and_takes_no_time(pytester: pytest.Pytester, mode: str) -> None:
    tests = """
async def test_menu(sip_agent, sip_network):
    await sip_agent("reception", on_call=menu)
    heard = []
    alice = await sip_agent("alice", on_message=lambda message: heard.append(message.text))
    async with alice.call("sip:reception@reception.test") as call:
        await call.send_digits("1")
        await call.ended()
    assert heard == ["nine to five"]
    assert "INFO" in sip_network.ladder()


async def test_an_hour_passes_at_once(sip_agent):
    await sip_agent("reception", on_call=menu)
    await asyncio.sleep(3600)
    assert asyncio.get_running_loop().time() >= 3600
"""
    played(pytester, tests, mode=mode).assert_outcomes(passed=2)


def test_a_server_with_users_asks_for_passwords(pytester: pytest.Pytester) -> None:
    tests = """
from ringback import AuthenticationFailed


async def test_users(sip_server, sip_agent):
    server = await sip_server(domains=["example.com"], users={"alice": "secret", "bob@example.com": "hidden"})
    await sip_agent("bob", password="hidden", on_call=menu, registered=True)
    alice = await sip_agent("alice", password="secret")
    async with alice.call("sip:bob@example.com") as call:
        assert call.is_answered
    assert server.config.auth == "digest"
    mallory = await sip_agent("sip:alice@example.com")
    with pytest.raises(AuthenticationFailed):
        await mallory.call("sip:bob@example.com")


async def test_no_users(sip_server, sip_agent):
    await sip_server()
    await sip_agent("bob", on_call=menu, registered=True)
    alice = await sip_agent("alice")
    async with alice.call("sip:bob@example.com") as call:
        assert call.is_answered
"""
    played(pytester, tests).assert_outcomes(passed=2)


def test_a_hung_ivr_is_an_error_that_says_who_waits_where(pytester: pytest.Pytester) -> None:
    tests = """
async def test_hangs(sip_agent):
    await sip_agent("reception", on_call=says_nothing)
    alice = await sip_agent("alice")
    async with alice.call("sip:reception@reception.test") as call:
        await call.ended()


async def test_the_next_one_is_none_the_worse(sip_agent):
    assert (await sip_agent("alice")).endpoints
"""
    ran = played(pytester, tests)
    ran.assert_outcomes(failed=1, passed=1)
    ran.stdout.re_match_lines_random(
        [
            r"HungError: Simulated time passed 86400 s: test_program\.py::test_hangs \(call\)",
            r" +test_hangs waits at .*test_program\.py:\d+ in test_hangs",
            r" +Task-\d+ waits at .*test_program\.py:\d+ in says_nothing",
            r"-+ SIP ladder -+",
            r"0\.002 .*200 OK \(SDP\)",
            r"⋮ \d+ more",
        ]
    )
    # What is said because the test was given up is no part of what went wrong.
    ran.stdout.no_fnmatch_line("*BYE*")
    ran.stdout.no_fnmatch_line("*traceback entries are hidden*")


def test_a_hang_without_timers_is_one_too_and_the_limit_is_the_markers(pytester: pytest.Pytester) -> None:
    tests = """
@pytest.mark.sip
async def test_nothing_will_happen():
    await asyncio.Event().wait()


@pytest.mark.sip(ends_at=100)
async def test_too_long():
    while True:
        await asyncio.sleep(60)
"""
    ran = played(pytester, tests)
    ran.assert_outcomes(failed=2)
    ran.stdout.re_match_lines_random([r"HungError: Nothing will ever happen: .*", r"HungError: Simulated time passed 100 s: .*"])


def test_a_call_that_a_test_leaves_behind_is_its_failure(pytester: pytest.Pytester) -> None:
    tests = """
async def test_leaves(sip_agent):
    await sip_agent("reception", on_call=says_nothing)
    alice = await sip_agent("alice")
    await alice.call("sip:reception@reception.test")


async def test_hangs_up(sip_agent):
    await sip_agent("reception", on_call=says_nothing)
    alice = await sip_agent("alice")
    call = await alice.call("sip:reception@reception.test")
    await call.hang_up()
"""
    ran = played(pytester, tests)
    ran.assert_outcomes(failed=1, passed=1)
    ran.stdout.fnmatch_lines(
        [
            "LeftoverError: the test is over, these calls are not *",
            "*reception: a call with sip:alice@alice.test, answered",
            "*alice: a call with sip:reception@reception.test, answered",
            "*SIP ladder*",
        ]
    )


def test_what_an_on_call_raises_fails_the_test(pytester: pytest.Pytester) -> None:
    tests = """
async def test_it_goes_unnoticed(sip_agent):
    await sip_agent("reception", on_call=breaks)
    alice = await sip_agent("alice")
    with pytest.raises(CallRejected):
        await alice.call("sip:reception@reception.test")


async def test_it_makes_another_failure(sip_agent):
    await sip_agent("reception", on_call=breaks)
    alice = await sip_agent("alice")
    await alice.call("sip:reception@reception.test")
"""
    ran = played(pytester, tests)
    ran.assert_outcomes(failed=2)
    ran.stdout.fnmatch_lines(
        [
            '>       raise KeyError("opening hours")',
            "E       KeyError: 'opening hours'",
            "E       Nobody was there to catch it: the coroutine of a call failed",
            "*CallRejected: 500 Server Internal Error",
            "*raised where nobody waited for it*",
            "*in breaks",
            "KeyError: 'opening hours'",
            "*SIP ladder*",
            "*500 Server Internal Error*",
        ]
    )


def test_a_failure_shows_the_ladder_and_a_success_does_not(pytester: pytest.Pytester) -> None:
    tests = """
async def test_fails(sip_agent):
    await sip_agent("reception", on_call=menu)
    alice = await sip_agent("alice")
    await alice.options("sip:reception@reception.test")
    assert alice is None


async def test_passes(sip_agent):
    await sip_agent("carol")


async def test_has_said_nothing(sip_network):
    assert not sip_network
"""
    ran = played(pytester, tests)
    ran.assert_outcomes(failed=2, passed=1)
    assert ran.stdout.str().count("SIP ladder") == 1
    ran.stdout.fnmatch_lines(["*SIP ladder*", "*reception *alice", "0.001 *│◀*OPTIONS*│", "0.002 *│*200 OK (SDP)*▶│"])


def test_asynchronous_fixtures_live_on_the_same_loop(pytester: pytest.Pytester, mode: str) -> None:
    tests = """
import pytest_asyncio


@pytest.fixture
async def alice(sip_server, sip_agent):
    await sip_server()
    await sip_agent("bob", on_call=menu, registered=True)
    return await sip_agent("alice", registered=True)


@pytest_asyncio.fixture
async def call(alice):
    async with alice.call("sip:bob@example.com") as call:
        yield call
    assert call.is_over


class TestCalls:
    @pytest.fixture
    async def text(self, call):
        self.call = call
        return "text"

    @pytest.mark.parametrize("number", [1, 2])
    async def test_a_call_of_a_fixture_may_outlast_the_test(self, text, call, number):
        assert self.call is call
        assert call.is_answered


@pytest.mark.asyncio
async def test_the_mark_of_another_plugin_changes_nothing(sip_agent):
    await asyncio.sleep(3600)
"""
    played(pytester, tests, mode=mode).assert_outcomes(passed=3)


def test_a_fixture_that_leaves_a_call_or_fails_says_so(pytester: pytest.Pytester) -> None:
    tests = """
@pytest.fixture
async def call(sip_agent):
    await sip_agent("reception", on_call=says_nothing)
    alice = await sip_agent("alice")
    return await alice.call("sip:reception@reception.test")


async def test_with_a_call(call):
    assert call.is_answered


@pytest.fixture
async def twice():
    yield 1
    yield 2


async def test_with_two_yields(sip_network, twice):
    assert twice == 1


@pytest.fixture
async def never(sip_network):
    await asyncio.Event().wait()


async def test_with_a_hang(never):
    assert False
"""
    ran = played(pytester, tests)
    ran.assert_outcomes(passed=2, errors=3)
    ran.stdout.fnmatch_lines_random(
        ["*alice: a call with sip:reception@reception.test, answered", "fixture twice yields more than once", "*fixture never waits at *"]
    )


def test_networks_fail_as_the_marker_says(pytester: pytest.Pytester) -> None:
    tests = """
pytestmark = pytest.mark.sip(loss=0.5, seed=6)


async def test_lossy(sip_agent, sip_network):
    await sip_agent("reception", on_call=menu)
    alice = await sip_agent("alice")
    await alice.options("sip:reception@reception.test")
    assert sip_network.lost
    assert "lost" in sip_network.ladder()
"""
    played(pytester, tests, "--strict-markers").assert_outcomes(passed=1)


def test_a_test_that_is_no_coroutine_cannot_have_an_agent(pytester: pytest.Pytester) -> None:
    ran = played(pytester, "def test_plain(sip_agent): pass\n\n\ndef test_server(sip_server): pass\n")
    ran.assert_outcomes(errors=2)
    ran.stdout.fnmatch_lines_random(["sip_agent is for tests that are `async def`", "sip_server is for tests that are `async def`"])


def test_tests_that_ask_for_nothing_are_left_alone(pytester: pytest.Pytester) -> None:
    tests = """
import time


@pytest.fixture
def plain():
    return 1


def test_plain(plain):
    assert plain == 1


@pytest.mark.asyncio
async def test_real_time():
    assert abs(asyncio.get_running_loop().time() - time.monotonic()) < 60
"""
    played(pytester, tests).assert_outcomes(passed=2)


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    ran = played(pytester, "async def test_menu(sip_agent): pass\n", "-p", "no:ringback")
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(["*fixture 'sip_agent' not found"])


def test_skipping_and_failing_on_purpose_work_within_a_coroutine(pytester: pytest.Pytester) -> None:
    tests = """
async def test_skips(sip_agent):
    pytest.skip("not today")


async def test_fails(sip_agent):
    pytest.fail("on purpose")
"""
    played(pytester, tests).assert_outcomes(skipped=1, failed=1)


def test_nothing_but_the_plugin_needs_pytest() -> None:
    importing = {
        path.relative_to(SOURCE).as_posix() for path in python_files(SOURCE) for _, module in imported_modules(path) if module == "pytest"
    }
    assert importing == {"testing/plugin.py"}
    requirements = (ROOT / "pyproject.toml").read_text("utf-8").partition("\ndependencies = ")[2].partition("\n")[0]
    assert "pytest" not in requirements
