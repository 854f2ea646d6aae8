"""The tutorial of the user agent, followed to the letter: its programs, as they stand there, say what it says they say."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.architecture.test_docs import fenced
from tests.architecture.tree import ROOT
from tests.cli.running import account
from tests.cli.serving import PATIENCE, serving

PAGE = ROOT / "docs" / "tutorial-agent.md"
AT_5060 = "127.0.0.1:5060"


def programs(folder: Path, port: int, *, password: str | None) -> None:
    """Saves the programs of the page, for a server that is not at port 5060."""
    for code in fenced(PAGE, "python"):
        name = code.partition("\n")[0].removeprefix("# ")
        assert AT_5060 in code
        code = code.replace(AT_5060, f"127.0.0.1:{port}")
        (folder / name).write_text(code if password is None else code.replace("proxy=", f'password="{password}", proxy='), "utf-8")


@contextmanager
def python(folder: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """One of the programs."""
    command = [sys.executable, "-u", "-W", "error", name]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(folder: Path, name: str) -> str:
    """All that a program says that ends by itself."""
    with python(folder, name) as process:
        return process.communicate(timeout=PATIENCE)[0]


@pytest.mark.parametrize("password", [None, "secret"])
def test_the_first_call_happens_as_the_tutorial_says(tmp_path: Path, password: str | None) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if password is not None:
        account(data, "alice", password)
        account(data, "bob", password)
    where = ["--listen", "udp://127.0.0.1:0", "--data", str(data) if password else ":memory:"]
    registered, answered, over, refused = fenced(PAGE, "text")
    with serving(*where, folder=tmp_path, auth=None if password else "none") as server:
        programs(tmp_path, server.port, password=password)
        with python(tmp_path, "bob.py") as bob:
            assert bob.stdout is not None
            assert bob.stdout.readline() == registered
            assert said(tmp_path, "alice.py") == answered
            assert [bob.stdout.readline() for _ in over.splitlines()] == over.splitlines(keepends=True)
            bob.send_signal(signal.SIGINT)
            assert (bob.wait(PATIENCE), bob.stdout.read()) == (0, "")
        # With accounts the server knows that there is a Bob.
        assert said(tmp_path, "alice.py") == (refused if password is None else "no call: 480 Temporarily Unavailable\n")
