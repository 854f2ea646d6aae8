"""`ringback serve` as a service of Type=notify: what it tells systemd, and when; and the unit file that goes with it."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.cli import systemd
from tests.architecture.tree import ROOT
from tests.cli.serving import PATIENCE, serving


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def hear(told: socket.socket, state: str) -> str:
    """The next that is told but for signs of life; it must begin so."""
    while (said := told.recv(4096).decode()) == systemd.WATCHDOG:
        pass
    assert said.startswith(state)
    return said


def test_ready_reloading_stopping(told: socket.socket, tmp_path: Path) -> None:
    with serving(folder=tmp_path) as server:
        assert hear(told, "READY=1") == "READY=1\nSTATUS=serving"
        server.process.send_signal(signal.SIGHUP)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", hear(told, "RELOADING=1"))
        hear(told, "READY=1")
        assert server.end() == 0
        hear(told, "STOPPING=1")


def test_the_watchdog_sees_signs_of_life(told: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    with serving(folder=tmp_path) as server:
        hear(told, "READY=1")
        assert [told.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert server.end() == 0


def test_an_abstract_address(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ringback-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        systemd.notify(systemd.READY)
        assert sock.recv(4096).startswith(b"READY=1")


@pytest.mark.parametrize("place", ["", "vsock:2:1", "/nowhere/at/all"])
def test_where_nobody_listens_nothing_happens(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    systemd.notify(systemd.READY)


def test_another_process_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a running loop could tick: without one, this would raise."""
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    systemd.keep_alive()
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    with pytest.raises(RuntimeError, match="no running event loop"):
        systemd.keep_alive()


def test_the_unit_file_names_commands_that_exist() -> None:
    unit = (ROOT / "docs" / "ringback.service").read_text()
    assert "Type=notify\n" in unit
    assert re.search(r"^ExecStart=\S+/ringback serve --config \S+$", unit, re.MULTILINE)
    assert re.search(r"^ExecReload=\S+/ringback ctl reload --config \S+$", unit, re.MULTILINE)
