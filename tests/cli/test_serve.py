"""`ringback serve`: what it says, what it refuses, how it ends. The first half stays within this process, the second starts real ones."""

import json
import shlex
import signal
import socket
import sys
import tomllib
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.request import urlopen

import pytest
from click.testing import CliRunner, Result

from ringback.cli.main import main
from tests.cli.peer import udp_peer
from tests.cli.serving import PATIENCE, serving


def serve(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["serve", *arguments], catch_exceptions=False)


def ping(port: int, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["ping", f"sip:127.0.0.1:{port}", *arguments], catch_exceptions=False)


def test_the_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.output.startswith("ringback 0.")


def test_without_a_word_about_it_users_need_passwords_and_the_first_is_shown_the_way(tmp_path: Path) -> None:
    with serving("--listen", "udp://127.0.0.1:0", "--data", "kept here", folder=tmp_path, auth=None) as server:
        [hint] = [line for line in server.said if "users" in line]
        assert hint == f"  users     none yet; make the first: ringback user add alice@example.org --data '{tmp_path}/kept here'"
        assert server.said[2] == "  domains   every domain, for none was named"
        command = shlex.split(hint.partition(": ringback ")[2])
        assert CliRunner().invoke(main, command, input="secret\n", catch_exceptions=False).exit_code == 0
        assert server.end() == 0
    with serving("--listen", "udp://127.0.0.1:0", "--data", "kept here", folder=tmp_path, auth="digest") as server:
        assert server.said[2] == "  domains   example.org (those of the users, for none was named)"
        assert "  users     1" in server.said


def test_where_nothing_is_kept_nobody_can_have_a_password(tmp_path: Path) -> None:
    with serving(folder=tmp_path, auth="digest") as server:
        assert "nobody can register" in server.said[-1]


def test_hup_reads_the_users_again(tmp_path: Path) -> None:
    with serving("--listen", "udp://127.0.0.1:0", "--data", "kept", folder=tmp_path, auth="digest") as server:
        server.process.send_signal(signal.SIGHUP)
        server.hear("users read again")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--listen", "127.0.0.1"], "--listen: '127.0.0.1': must be written udp://ADDRESS:PORT, likewise tcp, tls, ws and wss"),
        (
            ["--domain", "sip:a.test"],
            "--domain: 'sip:a.test' is no domain; allowed is a host name or address such as example.org, [::1] or 192.0.2.1",
        ),
        (["--config", "absent.toml"], "absent.toml: cannot be read: No such file or directory"),
        (["--auth", "open"], '--auth: must be "none" or "digest", is \'open\''),
        (["--trace-file", "calls.txt"], "--trace-file: 'calls.txt' must end in .pcap or .json"),
        (["--trace-file", "absent/calls.pcap"], "--trace-file: absent/calls.pcap: No such file or directory"),
    ],
)
def test_a_wrong_option_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = serve("--auth", "none", *arguments)
    assert (result.exit_code, result.output) == (2, f"ringback: {line}\n")


def test_a_wrong_key_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text("[proxy]\ntimer_c = 60\n")
    result = serve("--config", str(file), "--auth", "none")
    assert (result.exit_code, result.output) == (2, f"ringback: {file}:2: proxy.timer_c: must be a number above 180, at most 3600, is 60\n")


def test_the_example_configuration() -> None:
    result = serve("--example-config")
    assert result.exit_code == 0
    assert "proxy" in tomllib.loads(result.output)


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_a_port_that_is_taken_is_named(kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == "tcp":
            taken.listen()
        port = taken.getsockname()[1]
        result = serve("--auth", "none", "--data", ":memory:", "--listen", f"{kind}://127.0.0.1:{port}")
    assert result.exit_code == 2
    assert result.output.startswith("ringback: ")
    assert f"127.0.0.1:{port}" in result.output
    assert result.output.count("\n") == 1


def test_a_routing_file_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "routes.py").write_text("def route(request):\n    return (\n")
    file = tmp_path / "ringback.toml"
    file.write_text('auth = "none"\ndata = ":memory:"\nlisten = ["udp://127.0.0.1:0"]\nrouting = "routes.py"\n')
    result = serve("--config", str(file))
    assert result.exit_code == 2
    assert result.output.startswith("ringback: ")
    assert "routes.py" in result.output
    assert "2" in result.output.partition("routes.py")[2]
    assert result.output.count("\n") == 1


def test_a_data_folder_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, no folder")
    result = serve("--auth", "none", "--listen", "udp://127.0.0.1:0", "--data", str(tmp_path / "data"))
    assert result.exit_code == 2
    assert str(tmp_path / "data") in result.output
    assert result.output.count("\n") == 1


def test_it_says_what_it_serves_answers_and_ends_with_0(tmp_path: Path) -> None:
    with serving("--domain", "example.test", folder=tmp_path) as server:
        answer = ping(server.port)
        assert ping(server.port, "--transport", "tcp").exit_code == 0
        assert server.end() == 0
        server.hear("ending")
    assert answer.exit_code == 0
    assert "  Allow " in answer.output
    assert server.said[0].startswith("ringback 0.")
    assert server.said[1:-1] == [
        f"  listening 127.0.0.1:{server.port} udp tcp",
        "  domains   example.test",
        "  data      in memory only: a restart forgets who is registered",
        "  warning   no authentication: anybody may register as anybody, and call",
    ]


def test_an_interrupt_ends_it_with_0_too(tmp_path: Path) -> None:
    with serving(folder=tmp_path) as server:
        assert "every domain" in server.said[2]
        assert server.end(signal.SIGINT) == 0


def test_data_is_kept_where_it_was_told(tmp_path: Path) -> None:
    with serving("--listen", "udp://127.0.0.1:0", "--data", "kept", folder=tmp_path) as server:
        assert server.said[3] == "  data      kept"
        assert server.end() == 0
    assert list((tmp_path / "kept").iterdir())


def test_the_trace_shows_and_keeps_what_passed(tmp_path: Path) -> None:
    with serving("--trace", "--trace-file", "calls.json", folder=tmp_path) as server:
        assert ping(server.port).exit_code == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"\x1b[2Jnonsense\r\n\r\n", ("127.0.0.1", server.port))
            stranger.sendto(b"\r\n\r\n", ("127.0.0.1", server.port))
        assert ping(server.port).exit_code == 0
        assert server.end() == 0
        assert server.process.stdout is not None
        ladder = server.process.stdout.read().decode().split("\n")
    passed = [json.loads(line) for line in (tmp_path / "calls.json").read_text().split("\n")[:-1]]
    assert [one.get("method") or one.get("status") or "fault" for one in passed] == ["OPTIONS", 200, "fault", "OPTIONS", 200]
    assert passed[0]["destination"] == passed[1]["source"] == f"127.0.0.1:{server.port}"
    arrows = [line for line in ladder if "│" in line]
    assert ["OPTIONS" in arrows[0], "200 OK" in arrows[1], "malformed" in arrows[2]] == [True, True, True]
    assert "\x1b" not in "".join(ladder)


def test_a_log_in_json_holds_all_there_is_to_say(tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_text('listen = ["udp://127.0.0.1:0"]\ndata = ":memory:"\n[log]\nformat = "json"\n')
    command = [sys.executable, "-c", "from ringback.cli.main import main; main()", "serve", "--config", "ringback.toml", "--auth", "none"]
    with Popen(command, stderr=PIPE, cwd=tmp_path, text=True) as process:
        assert process.stderr is not None
        said = [json.loads(process.stderr.readline()) for _ in range(5)]
        process.terminate()
        said += [json.loads(line) for line in process.stderr]
    assert process.returncode == 0
    assert [one["message"].partition(":")[0] for one in said] == ["version", "listening", "domains", "data", "warning", "ending"]
    assert [one["level"] for one in said] == ["info", "info", "info", "info", "warning", "info"]


def test_a_capture(tmp_path: Path) -> None:
    with serving("--trace-file", "calls.pcap", folder=tmp_path) as server:
        assert f"  trace     {Path('calls.pcap')}" in server.said
        assert ping(server.port).exit_code == 0
        assert server.end() == 0
    capture = (tmp_path / "calls.pcap").read_bytes()
    assert capture[:4] == b"\xd4\xc3\xb2\xa1"
    assert b"OPTIONS sip:127.0.0.1" in capture
    assert b"SIP/2.0 200 OK" in capture


def test_calls_go_on_when_nobody_reads_the_ladder_any_more(tmp_path: Path) -> None:
    with serving("--trace", folder=tmp_path) as server:
        assert server.process.stdout is not None
        server.process.stdout.close()
        assert ping(server.port).exit_code == 0
        server.hear("trace to ladder given up")
        assert ping(server.port).exit_code == 0
        assert server.end() == 0


def test_hup_reads_the_routing_file_again(tmp_path: Path) -> None:
    routes = tmp_path / "routes.py"
    routes.write_text("def route(request):\n    return Reject(410)\n")
    (tmp_path / "ringback.toml").write_text('routing = "routes.py"\n')

    def ask(port: int) -> str:
        command = ["ping", f"sip:ann@127.0.0.1:{port}"]
        return CliRunner().invoke(main, command, catch_exceptions=False).output

    with serving("--config", "ringback.toml", folder=tmp_path) as server:
        assert "410 " in ask(server.port)
        routes.write_text("def route(request):\n    return Reject(480)\n")
        server.process.send_signal(signal.SIGHUP)
        server.hear("routing read again")
        assert "480 " in ask(server.port)
        routes.write_text("def route(request:\n")
        server.process.send_signal(signal.SIGHUP)
        server.hear("routes.py")
        assert "480 " in ask(server.port)
        assert server.end() == 0


def test_hup_without_a_routing_file_changes_nothing(tmp_path: Path) -> None:
    with serving(folder=tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        server.hear("nothing to read again")
        assert ping(server.port).exit_code == 0


def request(method: str, uri: str, me: int, to: str, *lines: str) -> bytes:
    head = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{me};branch=z9hG4bK{method}",
        "Max-Forwards: 70",
        "From: <sip:ann@example.test>;tag=1",
        f"To: <{to}>",
        f"Call-ID: {method}",
        f"CSeq: 1 {method}",
        *lines,
        "Content-Length: 0",
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def test_a_call_that_rings_holds_up_the_end_until_the_second_signal(tmp_path: Path) -> None:
    with serving(folder=tmp_path) as server, udp_peer(lambda _: []) as (phone, _), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ann:
        ann.bind(("127.0.0.1", 0))
        ann.settimeout(PATIENCE)
        me = ann.getsockname()[1]
        there = ("127.0.0.1", server.port)
        ann.sendto(request("REGISTER", "sip:example.test", me, "sip:bob@example.test", f"Contact: <sip:bob@127.0.0.1:{phone}>"), there)
        assert ann.recv(65536).startswith(b"SIP/2.0 200")
        ann.sendto(request("INVITE", "sip:bob@example.test", me, "sip:bob@example.test", f"Contact: <sip:ann@127.0.0.1:{me}>"), there)
        assert ann.recv(65536).startswith(b"SIP/2.0 100")
        server.process.send_signal(signal.SIGTERM)
        server.hear("ending: what is under way may take 32 s")
        answer = ping(server.port)
        assert "503 " in answer.output
        assert answer.exit_code == 1
        assert server.process.poll() is None
        assert server.end() == 0


def test_metrics_are_announced_and_read(tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_text('[metrics]\nlisten = "127.0.0.1:0"\n')
    with serving("--config", "ringback.toml", folder=tmp_path) as server:
        [line] = [line for line in server.said if "metrics" in line]
        assert ping(server.port).exit_code == 0
        with urlopen(line.split()[1], timeout=PATIENCE) as answer:
            assert 'sip_requests_total{method="OPTIONS"} 1.0' in answer.read().decode()
        assert server.end() == 0
