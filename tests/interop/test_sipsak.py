"""sipsak asks and registers; `ringback ping` answers to the shell as sipsak does."""

import json
import re
import subprocess
from collections.abc import Callable

import pytest

from tests.interop.ports import free_port
from tests.interop.running import PATIENCE
from tests.interop.server import RunningServer, ringback
from tests.interop.wire import DOMAIN, Peer, unique

Ended = subprocess.CompletedProcess[str]


def run(*command: str) -> Ended:
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture
def sipsak(program: Callable[[str], str], server: RunningServer) -> Callable[..., Ended]:
    """`sipsak("sip:…", "-vv")` by way of the server. A URI's own port is not used: sipsak 0.9.8 cuts one of five digits to four."""
    path = program("sipsak")

    def ask(uri: str, *options: str) -> Ended:
        return run(path, *options, "-p", f"127.0.0.1:{server.port}", "-s", uri)

    return ask


def ping(server: RunningServer, *options: str, user: str = "") -> Ended:
    at = f"{user}@" if user else ""
    return run(*ringback("ping", f"sip:{at}127.0.0.1:{server.port}", *options))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_options_to_the_server(sipsak: Callable[..., Ended], transport: str) -> None:
    answer = sipsak(f"sip:{DOMAIN}", "-vv", "-E", transport)
    assert answer.returncode == 0, answer
    assert "SIP/2.0 200 OK" in answer.stdout
    assert re.search(r"^Allow: .*REGISTER", answer.stdout, re.MULTILINE)
    assert re.search(r"^Accept: ", answer.stdout, re.MULTILINE)


def test_the_symmetric_way(sipsak: Callable[..., Ended]) -> None:
    answer = sipsak(f"sip:{DOMAIN}", "-vv", "-S")
    assert answer.returncode == 0, answer


def test_a_binding_made_by_sipsak_is_there_and_can_be_removed(sipsak: Callable[..., Ended], server: RunningServer) -> None:
    user = unique()
    made = sipsak(f"sip:{user}@{DOMAIN}", "-i", "-vv", "-U", "-C", f"sip:{user}@127.0.0.1:7777", "-x", "300")
    assert made.returncode == 0, made
    assert "All usrloc tests completed successful" in made.stdout
    with Peer(server.address) as peer:
        assert f"<sip:{user}@127.0.0.1:7777>" in peer.ask(peer.register(user, None)).field("Contact")
        removed = sipsak(f"sip:{user}@{DOMAIN}", "-i", "-U", "-C", "*", "-x", "0")
        assert removed.returncode == 0, removed
        assert peer.ask(peer.register(user, None)).field("Contact") == ""


def test_an_interval_too_brief(sipsak: Callable[..., Ended]) -> None:
    refused = sipsak(f"sip:{unique()}@{DOMAIN}", "-i", "-vv", "-U", "-x", "30")
    assert refused.returncode == 1
    assert "423 Interval Too Brief" in refused.stderr
    assert "Min-Expires: 60" in refused.stderr


def test_a_trace_ends_at_the_server(sipsak: Callable[..., Ended]) -> None:
    """Max-Forwards 0 of an OPTIONS: who has it may answer for the one it was meant for (§16.3 item 3)."""
    traced = sipsak(f"sip:{unique()}@{DOMAIN}", "-vv", "-T")
    assert traced.returncode == 0, traced
    assert "Max-Forwards set to 0" in traced.stdout


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ping_shows_the_time_and_what_the_server_can_do(server: RunningServer, transport: str) -> None:
    answer = ping(server, "--transport", transport)
    assert answer.returncode == 0, answer
    assert re.search(r"200 OK  \d+\.\d+ ms", answer.stdout)
    assert re.search(r"^  Allow +OPTIONS, REGISTER$", answer.stdout, re.MULTILINE)
    assert re.search(r"^  Accept +\*/\*$", answer.stdout, re.MULTILINE)
    told = json.loads(ping(server, "--transport", transport, "--json").stdout)
    assert (told["status"], told["allow"], told["accept"]) == (200, "OPTIONS, REGISTER", "*/*")
    assert 0 < told["ms"] < PATIENCE * 1000


def test_the_exit_status_is_sipsaks(sipsak: Callable[..., Ended], server: RunningServer, program: Callable[[str], str]) -> None:
    nobody = unique()
    silent = f"127.0.0.1:{free_port()}"
    assert (sipsak(f"sip:{DOMAIN}").returncode, ping(server).returncode) == (0, 0)
    assert (sipsak(f"sip:{nobody}@{DOMAIN}").returncode, ping(server, user=nobody).returncode) == (1, 1)
    assert (sipsak("mailto:me").returncode, run(*ringback("ping", "mailto:me@example.test")).returncode) == (2, 2)
    refused = run(program("sipsak"), "-p", silent, "-s", f"sip:{DOMAIN}")
    assert (refused.returncode, run(*ringback("ping", f"sip:{silent}")).returncode) == (3, 3)
