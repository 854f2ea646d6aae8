"""`ringback ctl` beside a server that runs: what it shows, what it does, how it ends."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.running import say
from tests.cli.serving import PATIENCE, Serving, serving
from tests.interop.wire import Peer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the server has its data."""
    return tmp_path / "kept"


@pytest.fixture
def server(tmp_path: Path, folder: Path) -> Iterator[Serving]:
    """A server of example.test with a control socket."""
    data = ("--listen", "udp://127.0.0.1:0", "--data", str(folder), "--domain", "example.test")
    with serving(*data, folder=tmp_path) as started:
        yield started


def ctl(folder: Path, *arguments: str) -> Result:
    return say("ctl", *arguments, "--data", str(folder))


def done(folder: Path, *arguments: str) -> str:
    """What a command says that must end with 0."""
    result = ctl(folder, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_status(server: Serving, folder: Path) -> None:
    lines = dict(line.split(maxsplit=1) for line in done(folder, "status").splitlines())
    assert lines["state"].startswith(f"serving, process {server.process.pid}, version 0.")
    assert lines["listening"].split() == [f"udp://127.0.0.1:{server.port}", f"tcp://127.0.0.1:{server.port}"]
    assert lines["domains"].strip() == "example.test"
    assert lines["calls"].strip() == "0 being set up"
    told = json.loads(done(folder, "status", "--json"))
    assert (told["state"], told["registrations"], told["data"]) == ("serving", 0, str(folder))


def test_registrations_are_listed_and_ended(server: Serving, folder: Path) -> None:
    assert done(folder, "registrations") == "no registrations\n"
    with Peer(("127.0.0.1", server.port)) as phone:
        for user in ("ann", "bob"):
            assert phone.ask(phone.register(user, phone.contact(user))).status == 200
        me = phone.here[1]
    listed = done(folder, "registrations").splitlines()
    assert listed[0].split() == ["user", "contact", "q", "expires", "in", "from"]
    assert [line.split()[:3] for line in listed[2:]] == [[f"{u}@example.test", f"sip:{u}@127.0.0.1:{me}", "1"] for u in ("ann", "bob")]
    assert len(done(folder, "registrations", "bob").splitlines()) == 3
    assert done(folder, "registrations", "--limit", "1").splitlines()[-1] == "1 of 2 registrations"
    assert done(folder, "unregister", "bob@example.test") == f"removed sip:bob@127.0.0.1:{me}\n"
    again = ctl(folder, "unregister", "bob@example.test")
    assert (again.exit_code, again.output) == (1, "ringback: bob@example.test has no registration\n")
    assert json.loads(done(folder, "registrations", "--json"))["total"] == 1


def test_nothing_under_way_is_said_in_words(server: Serving, folder: Path) -> None:
    assert server.process.poll() is None
    assert done(folder, "calls") == "no calls being set up\n"
    assert done(folder, "transactions") == "no transactions\n"


def test_connections_and_gateways(server: Serving, folder: Path) -> None:
    assert done(folder, "connections") == "no connections\n"
    assert done(folder, "gateways") == "no gateways\n"
    with socket.create_connection(("127.0.0.1", server.port)) as phone:
        port = phone.getsockname()[1]
        [line] = patient(folder, "connections", f":{port}")
        assert line.split() == ["tcp", f"127.0.0.1:{port}", "peer", "0s"]
        assert done(folder, "connections", "--transport", "tls") == "no connections\n"
        assert json.loads(done(folder, "connections", "--json"))["connections"][0]["is_open"]
        assert "connections    1 tcp" in done(folder, "status")


def patient(folder: Path, *arguments: str) -> list[str]:
    """The rows of a table, as soon as there are any."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        rows = done(folder, *arguments).splitlines()[2:]
        if rows and "not open yet" not in rows[0]:
            return rows
    raise AssertionError(f"nothing came of {arguments}")


def test_who_stays_connected_does_not_hold_up_the_end(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "ringback.toml").write_text('[metrics]\nlisten = "127.0.0.1:0"\n')
    with serving("--listen", "udp://127.0.0.1:0", "--data", str(folder), "--config", "ringback.toml", folder=tmp_path) as server:
        [line] = [line for line in server.said if "metrics" in line]
        place = line.split()[1].removeprefix("http://").removesuffix("/metrics").rpartition(":")
        with socket.socket(socket.AF_UNIX) as watching, socket.create_connection((place[0], int(place[2]))) as reading:
            watching.connect(str(folder / "control.sock"))
            watching.sendall(b'{"jsonrpc"')
            reading.sendall(b"GET /metrics HTTP/1.1\r\n")
            assert ctl(folder, "status").exit_code == 0
            assert server.end() == 0
        server.hear("ending")
        server.stop()
        assert server.rest() == [], "nothing is said of them"


def test_the_log_level(server: Serving, folder: Path) -> None:
    assert server.process.poll() is None
    assert done(folder, "log-level", "debug") == "debug\n"
    assert done(folder, "log-level") == "debug\n"
    assert ctl(folder, "log-level", "loud").exit_code == 2


def test_a_drain_may_be_taken_back_until_the_server_has_ended(server: Serving, folder: Path) -> None:
    assert done(folder, "drain", "--stay") == "draining: 0 requests under way, it stays until resumed\n"
    assert done(folder, "status").startswith("state          draining for ")
    assert say("ping", f"sip:127.0.0.1:{server.port}").exit_code == 1
    assert done(folder, "resume") == "serving\n"
    assert say("ping", f"sip:127.0.0.1:{server.port}").exit_code == 0
    refused = ctl(folder, "resume")
    assert (refused.exit_code, refused.output) == (1, "ringback: the server is not draining\n")
    assert "then it ends" in done(folder, "drain")
    assert server.process.wait(PATIENCE) == 0
    server.hear("ending")
    gone = ctl(folder, "status")
    assert (gone.exit_code, gone.output) == (2, f"ringback: {folder}/control.sock: no server runs there\n")


def test_where_no_server_can_be_said_to_run_it_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text('data = ":memory:"\n')
    result = say("ctl", "status", "--config", str(file))
    assert result.exit_code == 2
    assert result.output.startswith("ringback: a server with this configuration has no control socket; name it")
    assert say("ctl", "status", "--socket", str(tmp_path / "s")).output == f"ringback: {tmp_path}/s: no server runs there\n"
    file.write_text("[control]\nplug = 1\n")
    result = say("ctl", "status", "--config", str(file))
    assert result.output == f"ringback: {file}:2: control.plug: no such key; allowed are enabled, socket\n"


def test_a_socket_of_ones_own_and_a_server_that_finds_it_taken(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text('[control]\nsocket = "mine"\n')
    config = ("--config", str(file))
    with serving(*config, folder=tmp_path) as server:
        status = json.loads(say("ctl", "status", "--json", *config).output)
        assert status["listening"][0] == f"udp://127.0.0.1:{server.port}"
        second = say("serve", "--auth", "none", "--data", ":memory:", "--listen", "udp://127.0.0.1:0", *config)
        assert (second.exit_code, second.output) == (2, f"ringback: {tmp_path}/mine: another server answers there\n")
        assert say("ctl", "status", *config).exit_code == 0
        assert server.end() == 0
    assert not (tmp_path / "mine").exists()


def test_a_data_folder_too_deep_for_a_socket_is_served_all_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    with serving("--listen", "udp://127.0.0.1:0", "--data", str(deep), folder=tmp_path) as server:
        assert "no control socket: " in " ".join(server.said)
        assert "[control] socket" in " ".join(server.said)
        assert say("ping", f"sip:127.0.0.1:{server.port}").exit_code == 0
        assert server.end() == 0


def test_a_reload_says_what_has_changed_what_waits_and_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text('data = "kept"\n')
    config = ("--config", str(file))
    with serving("--listen", "udp://127.0.0.1:0", "--data", str(tmp_path / "kept"), *config, folder=tmp_path) as server:
        assert say("ctl", "reload", *config).output == "read again; changed: no key of the configuration\n"
        file.write_text('data = "kept"\nadvertise = "sip.example.test"\n[registrar]\nmax_contacts = 3\n')
        told = json.loads(say("ctl", "reload", "--json", *config).output)
        assert told == {"changed": ["registrar.max_contacts"], "needs_restart": ["advertise"]}
        server.process.send_signal(signal.SIGHUP)
        server.hear("waits for a restart: advertise")
        file.write_text('data = "kept"\n[registrar]\nmax_contacts = 0\n')
        said = f"{file}:3: registrar.max_contacts: must be a whole number from 1 to 10000000, is 0"
        assert say("ctl", "status", *config).exit_code == 0, "the server that runs can be watched all the same"
        refused = say("ctl", "reload", *config)
        assert (refused.exit_code, refused.output) == (1, f"ringback: {said}\n")
        server.hear(f"{said} (all stays as it was)")
        assert server.end() == 0
