"""The store fails and the server lives on: changes are refused, calls go where they went, nothing acknowledged is lost, and
when the fault is over so are its consequences (T27, T15 for SQLite).
"""

import os
import random
import resource
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.server import RunningServer
from tests.interop.wire import DOMAIN, Peer, request
from tests.reliability.registering import Registering

NO_LIMIT = resource.RLIM_INFINITY
_SIZE = 8 << 20
_LEFT = 400_000
Fault = Callable[[], None]


@contextmanager
def no_fault() -> Iterator[None]:
    yield


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small disk of its own at `folder`, where this system lets us have one."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs; the form with RLIMIT_FSIZE runs everywhere")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)


class Disk:
    """The disk the server's data lie on, and how to fill it and free it again."""

    def __init__(self, server: RunningServer, fill: Fault, free: Fault) -> None:
        self.server = server
        self.fill = fill
        self.free = free


@pytest.fixture(params=["tmpfs", "rlimit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    data = tmp_path / "disk"
    server = RunningServer(tmp_path, data=data)
    ballast = data / "ballast"

    def fill() -> None:
        with ballast.open("ab", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while file.write(bytes(4096)):
                pass

    def limit() -> None:
        # So little that even the write-ahead log, long as it is already, cannot be written but at its beginning.
        resource.prlimit(server.running.pid, resource.RLIMIT_FSIZE, (16_384, NO_LIMIT))

    def unlimit() -> None:
        # It dies with its process.
        if server.running.process.poll() is None:
            resource.prlimit(server.running.pid, resource.RLIMIT_FSIZE, (NO_LIMIT, NO_LIMIT))

    is_tmpfs = request.param == "tmpfs"
    with mounted(data, f"size={_SIZE}") if is_tmpfs else no_fault():
        try:
            if is_tmpfs:
                # Nearly full when the server starts: what the database would put by for itself would last a while.
                ballast.write_bytes(bytes(_SIZE - _LEFT))
            yield Disk(server, fill, ballast.unlink) if is_tmpfs else Disk(server, limit, unlimit)
        finally:
            server.running.stop()


@contextmanager
def phone_at(server: RunningServer) -> Iterator[Callable[[], None]]:
    """A registered phone; what is given calls it and fails unless the call arrives and is answered."""
    with Peer(server.address, "127.0.0.2") as phone, Peer(server.address, "127.0.0.3") as caller:
        assert phone.ask(phone.register("phone", phone.contact("phone"), expires=3600)).status == 200

        def call() -> None:
            text = request("MESSAGE", f"sip:phone@{DOMAIN}", caller.here)
            begin = time.monotonic()
            caller.send(text)
            data = phone.receive(5)
            assert data is not None, server.running.account("did not forward a request while its store failed")
            assert data.startswith(b"MESSAGE "), data
            lines = data.decode().split("\r\n")
            kept = [line for line in lines if line.partition(":")[0].lower() in ("via", "from", "to", "call-id", "cseq")]
            phone.send("\r\n".join(["SIP/2.0 202 Accepted", *kept, "Content-Length: 0", "", ""]))
            answer = caller.receive(5)
            assert answer is not None
            assert answer.startswith(b"SIP/2.0 202 ")
            assert time.monotonic() - begin < 1.0

        yield call


@contextmanager
def registering_at(server: RunningServer, seed: int) -> Iterator[Registering]:
    """Users who are registered, and go on registering."""
    registering = Registering(server.address, random.Random(seed), users=200, rate=500, is_refusal_final=True)
    try:
        registering.run_until(lambda: registering.acknowledged >= 50, "50 bindings acknowledged")
        registering.settle()
        yield registering
    finally:
        registering.close()


def test_a_full_disk_refuses_changes_and_nothing_else(disk: Disk, seed: int) -> None:
    server = disk.server.start()
    with phone_at(server) as call, registering_at(server, seed) as registering:
        disk.fill()
        registering.run_until(lambda: registering.refused >= 100, "100 changes refused with 503")
        registering.settle()
        call()
        # Asked while nothing can be written, it knows exactly what it has acknowledged.
        assert registering.check(5) == []
        assert server.running.process.poll() is None
        disk.free()
        before = registering.acknowledged
        registering.run_until(lambda: registering.acknowledged >= before + 50, "changes are stored again once there is room", 5)
        registering.settle()
        call()
        server.kill()
        server.start()
        assert registering.check(5) == [], "after kill -9"
        call()
    server.end()


def test_killed_on_a_full_disk_it_loses_nothing(disk: Disk, seed: int) -> None:
    server = disk.server.start()
    with phone_at(server) as call, registering_at(server, seed) as registering:
        disk.fill()
        registering.run_until(lambda: registering.refused >= 50, "50 changes refused with 503")
        server.kill()
        registering.take_answers()
        disk.free()
        server.start()
        assert registering.check(5) == []
        call()
    server.end()


def test_a_database_locked_by_another_process(tmp_path: Path, seed: int) -> None:
    with RunningServer(tmp_path) as server, phone_at(server) as call, registering_at(server, seed) as registering:
        other = sqlite3.connect(server.data / "ringback.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            registering.slowest = 0.0
            registering.run_until(lambda: registering.refused >= 50, "50 changes refused with 503")
            call()
            registering.settle()
            # Half a second of patience with the lock, and what waited behind the one that waited: answered within the second or so.
            assert registering.slowest < 1.5
            assert registering.check(5) == []
            other.execute("ROLLBACK")
        finally:
            other.close()
        before = registering.acknowledged
        registering.run_until(lambda: registering.acknowledged >= before + 50, "changes are stored again once the lock is gone", 5)
        registering.settle()
        assert registering.check(5) == []


def test_killed_while_the_database_is_locked_it_loses_nothing(tmp_path: Path, seed: int) -> None:
    with RunningServer(tmp_path) as server, phone_at(server) as call, registering_at(server, seed) as registering:
        other = sqlite3.connect(server.data / "ringback.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            registering.run_until(lambda: registering.refused >= 10, "10 changes refused with 503")
            server.kill()
        finally:
            other.close()
        server.start()
        assert registering.check(5) == []
        call()


# What keeps it from starting: one line that says what and where, and exit status 2.


def refusal(server: RunningServer) -> str:
    """Starts a server that must not start, and gives the one line it says."""
    running = server.launch()
    try:
        assert running.wait() == 2, running.account("did not end with 2")
        assert len(running.said) == 1, running.account("said more than one line")
        return running.said[0]
    finally:
        running.stop()


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_port_that_is_taken(tmp_path: Path, kind: str) -> None:
    server = RunningServer(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as other:
        other.bind(server.address)
        if kind == "tcp":
            other.listen()
        line = refusal(server)
    assert f"127.0.0.1:{server.port}" in line
    assert kind in line.lower()
    with server:
        assert server.running.process.poll() is None


def test_a_port_that_another_ringback_has(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with RunningServer(tmp_path / "one") as one:
        two = RunningServer(tmp_path / "two")
        two.command = [word.replace(f":{two.port}", f":{one.port}") for word in two.command]
        assert f"127.0.0.1:{one.port}" in refusal(two)
        one.wait_until_it_answers()


def test_two_servers_on_one_folder(tmp_path: Path, seed: int) -> None:
    with RunningServer(tmp_path) as one, registering_at(one, seed) as registering:
        line = refusal(RunningServer(tmp_path, data=one.data))
        assert str(one.data) in line
        assert "in use by another server" in line
        registering.run(0.1)
        registering.settle()
        assert registering.refused == 0
        assert registering.check(5) == []


def test_a_database_locked_at_the_start(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        pass
    other = sqlite3.connect(server.data / "ringback.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        line = refusal(server)
    finally:
        other.close()
    assert "ringback.db" in line
    assert "locked by another process" in line


def test_a_folder_that_has_become_read_only(tmp_path: Path) -> None:
    data = tmp_path / "disk"
    with mounted(data, "size=8m") if os.geteuid() == 0 else no_fault():
        with RunningServer(tmp_path, data=data) as server:
            pass
        if os.geteuid() == 0:
            subprocess.run(["mount", "-o", "remount,ro", str(data)], check=True)
        else:
            for path in (data, *data.iterdir()):
                path.chmod(0o500)
        line = refusal(server)
    assert str(data) in line
    assert "Read-only file system" in line or "Permission denied" in line


def test_a_damaged_database(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        pass
    (server.data / "ringback.db").write_bytes(b"This was a database once. " * 400)
    line = refusal(server)
    assert "ringback.db" in line
    assert "damaged" in line
