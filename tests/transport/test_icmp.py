"""Which ICMP errors are failures of sending (RFC 3261 §18.4)."""

import errno

import pytest

from ringback.transport import icmp
from ringback.transport.icmp import failure

_LOCAL, _ICMP, _ICMP6 = 1, 2, 3


@pytest.mark.parametrize(
    ("origin", "icmp_type", "code", "is_failure"),
    [
        (_ICMP, 3, 0, True),  # network unreachable
        (_ICMP, 3, 1, True),  # host unreachable
        (_ICMP, 3, 2, True),  # protocol unreachable
        (_ICMP, 3, 3, True),  # port unreachable
        (_ICMP, 3, 4, False),  # fragmentation needed
        (_ICMP, 3, 13, True),  # prohibited
        (_ICMP, 12, 0, True),  # parameter problem
        (_ICMP, 4, 0, False),  # source quench
        (_ICMP, 11, 0, False),  # TTL exceeded
        (_ICMP6, 1, 0, True),  # no route
        (_ICMP6, 1, 4, True),  # port unreachable
        (_ICMP6, 2, 0, False),  # packet too big
        (_ICMP6, 3, 0, False),  # hop limit exceeded
        (_ICMP6, 4, 1, True),  # parameter problem
        (_LOCAL, 0, 0, False),  # what the send call itself reported
    ],
)
def test_unreachable_and_parameter_problem_are_failures_the_rest_is_ignored(
    origin: int, icmp_type: int, code: int, is_failure: bool
) -> None:
    reason = failure(errno.EHOSTUNREACH, origin, icmp_type, code)
    assert (reason is not None) == is_failure


class Silent:
    """A socket whose error queue holds an entry without the error itself."""

    def recvmsg(self, *_: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[str, int]]:
        return b"", [(0, 0, b"")], 0, ("127.0.0.1", 5060)


def test_an_entry_without_its_error_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icmp, "IS_LINUX", True)
    assert icmp.read_error(Silent()) == icmp.IcmpError(("127.0.0.1", 5060), None)  # type: ignore[arg-type]


def test_elsewhere_than_on_linux_nothing_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icmp, "IS_LINUX", False)
    assert icmp.read_error(Silent()) is None  # type: ignore[arg-type]


def test_a_failure_has_a_readable_reason() -> None:
    assert failure(errno.ECONNREFUSED, _ICMP, 3, 3) == "Port unreachable"
    assert failure(errno.EHOSTUNREACH, _ICMP, 3, 1) == "No route to host"
