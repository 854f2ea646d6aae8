"""Every example is short and runs."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ringback.message.uri import parse_uri
from ringback.server.proxy import Forward, Redirect, Reject
from tests.architecture.tree import ROOT, python_files

LONGEST = 40
ROUTES = ROOT / "examples" / "routes.py"
EXAMPLES = python_files(ROOT / "examples")
SHOWN = {
    "answer_and_play_menu.py": "Welcome back.",
    "message_bot.py": "sip:bot@10.0.0.1: pong",
    "attended_transfer.py": "Alice: they are together, 200 OK",
    "click_to_call.py": "It rings and is answered: 200 OK",
    "parse_message.py": "transaction z9hG4bK74b43 over UDP",
    "presence_watcher.py": "over: noresource",
    "register_and_call.py": "Bob, after the peer hung up",
    "simulated_network.py": "after 3.502 s",
    "test_ivr.py": "2 passed",
    "test_registration.py": "3 passed",
}
"""What each program's output holds; an example without a line here fails."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short(example: Path) -> None:
    assert example.read_text("utf-8").count("\n") <= LONGEST


@pytest.mark.parametrize("example", [path for path in EXAMPLES if path != ROUTES], ids=lambda path: path.name)
def test_an_example_runs_and_shows_what_it_promises(example: Path) -> None:
    runner = ["-m", "pytest", "-p", "no:cacheprovider"] if example.name.startswith("test_") else []
    command = [sys.executable, "-W", "error", *runner, str(example)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert SHOWN[example.name] in ran.stdout


@pytest.mark.parametrize(
    ("uri", "decision"),
    [
        ("sip:support@example.com", "Forward(sip:ann@example.com, sip:bob@example.com, one_by_one=True, ring_for=20)"),
        ("sip:old-number@example.com", "Redirect(sip:new-number@example.com, status=301)"),
        ("sip:carol@example.com", "Forward(sip:carol@192.0.2.7)"),
        ("sip:nobody@example.com", "Reject(404, 'Not Found')"),
    ],
)
def test_the_routing_file_decides(uri: str, decision: str) -> None:
    contacts = {"sip:carol@example.com": ["sip:carol@192.0.2.7"]}
    location = SimpleNamespace(lookup=lambda uri: contacts.get(str(uri), []))
    names = {"Forward": Forward, "Redirect": Redirect, "Reject": Reject, "location": location}
    exec(compile(ROUTES.read_text("utf-8"), str(ROUTES), "exec"), names)
    assert repr(names["route"](SimpleNamespace(uri=parse_uri(uri)))) == decision  # type: ignore[operator]
