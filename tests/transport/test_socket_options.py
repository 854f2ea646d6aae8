"""Options that not every system has, and what a system refuses."""

from __future__ import annotations

import socket

import pytest

from ringback.transport import socket_options
from ringback.transport.socket_options import allow_fragments, ask_for_errors, choose_port_late, enlarge_buffer


class Recorder:
    """A socket that remembers what it was asked, and refuses some of it."""

    def __init__(self, family: socket.AddressFamily = socket.AF_INET, refuses: tuple[int, ...] = ()) -> None:
        self.family = family
        self.refuses = refuses
        self.asked: list[int] = []

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.asked.append(option)
        if option in self.refuses:
            raise PermissionError(1, "not you")


@pytest.mark.parametrize(
    ("is_linux", "refuses", "asked"),
    [
        (True, (), [33]),
        (True, (33,), [33, socket.SO_RCVBUF]),
        (True, (33, socket.SO_RCVBUF), [33, socket.SO_RCVBUF]),
        (False, (), [socket.SO_RCVBUF]),
    ],
)
def test_a_large_buffer_is_asked_for_until_it_is_granted(
    is_linux: bool, refuses: tuple[int, ...], asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_options, "IS_LINUX", is_linux)
    sock = Recorder(refuses=refuses)
    enlarge_buffer(sock)  # type: ignore[arg-type]
    assert sock.asked == asked


@pytest.mark.parametrize("is_linux", [True, False])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_linux_numbers_are_for_linux_only(is_linux: bool, family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_options, "IS_LINUX", is_linux)
    sock = Recorder(family)
    for ask in (allow_fragments, ask_for_errors, choose_port_late):
        ask(sock)  # type: ignore[arg-type]
    expected = [10, 11, 24] if family == socket.AF_INET else [25, 24]
    assert sock.asked == (expected if is_linux else [])
