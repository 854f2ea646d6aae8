"""`ringback ping`: what it asks, what it tells, and sipsak's exit codes."""

import json
import re
import socket
import threading

import pytest
from click.testing import CliRunner, Result
from websockets.sync.server import ServerConnection, serve

from ringback.address import Target
from ringback.cli.main import main
from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.testing import Names
from ringback.transport.resolver.records import Srv
from tests.cli.peer import response, tcp_peer, udp_peer


def ping(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["ping", *arguments], catch_exceptions=False)


def test_an_answer_with_what_the_other_side_can_do() -> None:
    capabilities = ["Allow: INVITE, ACK", "Allow: BYE", "Accept: application/sdp", "Server: peer/1.0"]
    with udp_peer(lambda request: [response(request, "200 OK", *capabilities)]) as (port, heard):
        result = ping(f"sip:bob@127.0.0.1:{port}")
    assert result.exit_code == 0
    lines = result.output.split("\n")
    assert lines[0] == f"OPTIONS sip:bob@127.0.0.1:{port} at UDP 127.0.0.1:{port}"
    assert re.fullmatch(r"200 OK  \d+\.\d{3} ms  #1", lines[1])
    assert lines[2:] == ["  Allow       INVITE, ACK, BYE", "  Accept      application/sdp", "  Server      peer/1.0", ""]
    assert len(heard) == 1


def test_the_question_is_a_whole_options_request() -> None:
    with udp_peer(lambda request: [response(request)]) as (port, heard):
        ping(f"127.0.0.1:{port}", "--from", "sip:alice@example.test", "--count", "2", "--interval", "0")
    first, second = (parse_datagram(text.encode()) for text in heard)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.method, first.uri_text) == ("OPTIONS", f"sip:127.0.0.1:{port}")
    assert first.max_forwards == 70
    assert str(first.from_.uri) == "sip:alice@example.test"
    assert first.from_tag == second.from_tag
    assert first.to_tag is None
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert first.call_id == second.call_id
    assert first.via.host == "127.0.0.1"
    assert (first.via.branch or "").startswith("z9hG4bK")
    assert first.via.branch != second.via.branch
    assert first.headers.text("Accept") == "application/sdp"


def test_over_tcp() -> None:
    with tcp_peer(lambda request: [response(request)]) as (port, heard):
        result = ping(f"sip:127.0.0.1:{port};transport=tcp", "--count", "2", "--interval", "0")
    assert result.exit_code == 0
    assert f"at TCP 127.0.0.1:{port}" in result.output
    assert re.search(r"2 asked, 2 answered; fastest [\d.]+ ms, median [\d.]+ ms, slowest [\d.]+ ms\n$", result.output)
    assert heard[0].split("\r\n")[1].startswith("Via: SIP/2.0/TCP 127.0.0.1:")


def test_over_websocket() -> None:
    """The server is that of `websockets` itself."""
    heard: list[str] = []

    def answer(connection: ServerConnection) -> None:
        for message in connection:
            heard.append(str(message))
            connection.send(response(heard[-1]))

    with serve(answer, "127.0.0.1", 0, subprotocols=["sip"], compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        result = ping(f"sip:127.0.0.1:{port};transport=ws", "--count", "2", "--interval", "0")
        server.shutdown()
        thread.join(10)
    assert result.exit_code == 0, result.output
    assert f"at WS 127.0.0.1:{port}" in result.output
    assert heard[0].split("\r\n")[1].startswith("Via: SIP/2.0/WS 127.0.0.1:")
    assert len(heard) == 2


def test_a_field_that_does_not_parse_is_shown_as_it_came() -> None:
    with udp_peer(lambda request: [response(request, "200 OK", 'Allow: INVITE, "ACK', "Server:")]) as (port, _):
        result = ping(f"sip:127.0.0.1:{port}")
    assert result.output.split("\n")[2:] == ['  Allow       INVITE, "ACK', ""]


def test_only_the_first_final_answer_counts() -> None:
    with udp_peer(lambda request: [response(request, "200 OK"), response(request, "500 Late")]) as (port, heard):
        result = ping(f"sip:127.0.0.1:{port}", "--count", "2", "--interval", "0")
    assert result.output.count("200 OK") == 2
    assert len(heard) == 2


def test_nothing_answered_has_no_times() -> None:
    with udp_peer(lambda _: []) as (port, _):
        result = ping(f"sip:127.0.0.1:{port}", "--count", "2", "--interval", "0", "--timeout", "0.01")
    assert result.output.endswith("2 asked, 0 answered\n")


def test_localhost_is_this_machine() -> None:
    with udp_peer(lambda request: [response(request)]) as (port, _):
        assert f" at UDP 127.0.0.1:{port}\n" in ping(f"localhost:{port}").output


def test_a_refusal_is_1() -> None:
    with udp_peer(lambda request: [response(request, "100 Trying"), response(request, "404 Not Found")]) as (port, _):
        result = ping(f"sip:nobody@127.0.0.1:{port}")
    assert result.exit_code == 1
    assert "404 Not Found" in result.output


def test_silence_is_3() -> None:
    with udp_peer(lambda _: []) as (port, heard):
        result = ping(f"sip:127.0.0.1:{port}", "--timeout", "0.02")
    assert result.exit_code == 3
    assert "no answer within 0.02 s  #1\n" in result.output
    assert len(heard) == 1


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_nobody_there_is_3(transport: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = ping(f"sip:127.0.0.1:{port}", "--transport", transport)
    assert result.exit_code == 3
    assert ("Port unreachable" if transport == "udp" else "Connection refused") in result.output


def test_the_worst_answer_is_the_exit_code() -> None:
    answers = iter(["200 OK", "486 Busy Here", "200 OK"])
    with udp_peer(lambda request: [response(request, next(answers))]) as (port, _):
        result = ping(f"sip:127.0.0.1:{port}", "--count", "3", "--interval", "0")
    assert result.exit_code == 1
    assert "3 asked, 3 answered" in result.output


def test_json() -> None:
    answers = iter([["Allow: OPTIONS"], None])

    def answer(request: str) -> list[str]:
        lines = next(answers, None)
        return [] if lines is None else [response(request, "200 OK", *lines)]

    with udp_peer(answer) as (port, _):
        result = ping(f"sip:127.0.0.1:{port}", "--count", "2", "--interval", "0", "--timeout", "0.05", "--json")
    first, second = (json.loads(line) for line in result.output.split("\n")[:-1])
    assert isinstance(first.pop("ms"), float)
    assert first == {"number": 1, "target": f"udp:127.0.0.1:{port}", "status": 200, "reason": "OK", "allow": "OPTIONS"}
    assert second == {"number": 2, "target": f"udp:127.0.0.1:{port}", "fault": "no answer within 0.05 s"}
    assert result.exit_code == 3


def test_nothing_of_a_strangers_answer_reaches_the_terminal_raw() -> None:
    hostile = "\x1b]0;owned\x07 \u202e [bold]x[/bold] \udcff"
    with udp_peer(lambda request: [response(request, f"200 {hostile}", f"Server: {hostile}")]) as (port, _):
        result = ping(f"sip:127.0.0.1:{port}")
    assert result.exit_code == 0
    assert all(char.isprintable() or char == "\n" for char in result.output)
    assert result.output.count("[bold]x[/bold]") == 2


def via_port(request: str) -> int:
    return parse_datagram(request.encode()).via.port  # type: ignore[union-attr, return-value]


def uri_port(request: str) -> int:
    return parse_datagram(request.encode()).uri.port  # type: ignore[union-attr, return-value]


def test_someone_elses_question_is_refused_meanwhile() -> None:
    first: list[str] = []

    def answer(text: str) -> list[str]:
        if text.startswith("OPTIONS"):
            first.append(text)
            # Its Via has no rport, so the refusal goes to the port in sent-by: the peer's own.
            mine = text.replace("z9hG4bK", "z9hG4bKpeer").replace(f" 127.0.0.1:{via_port(text)};", f" 127.0.0.1:{uri_port(text)};")
            return ["no SIP at all\r\n\r\n", mine]
        return [response(first[0])]

    with udp_peer(answer) as (port, heard):
        result = ping(f"sip:127.0.0.1:{port}")
    assert result.exit_code == 0
    assert heard[1].startswith("SIP/2.0 501 ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sip:a b"], "ringback: URI: sip:a b is no SIP URI: malformed SIP URI\n"),
        (["sip:127.0.0.1", "--from", "tel:+1"], "ringback: --from: tel:+1 is no SIP URI\n"),
        (["sip:127.0.0.1", "--from", "\x1b[2J"], "ringback: --from: \\x1b[2J is no SIP URI"),
        (["sips:127.0.0.1", "--transport", "udp"], "ringback: what is asked for as sips goes over TLS alone, never over udp\n"),
        (["sip:127.0.0.1;transport=sctp"], "ringback: the transport sctp is unknown; allowed are udp, tcp, tls, ws, wss\n"),
        (["sip:127.0.0.1", "--count", "0"], "Invalid value for '--count'"),
        (["sip:127.0.0.1", "--timeout", "nan"], "Invalid value for '--timeout': 'nan' must be a number of seconds from 0.01 to 3600"),
        (["sip:127.0.0.1", "--interval", "soon"], "Invalid value for '--interval': 'soon' must be a number of seconds from 0 to 3600"),
        ([], "Missing argument 'URI'"),
    ],
)
def test_a_question_that_cannot_be_asked_is_2(arguments: list[str], line: str) -> None:
    result = ping(*arguments)
    assert result.exit_code == 2
    assert line in result.output


def test_a_name_that_does_not_exist_is_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.transport.resolver.resolver.NameServers", Names)
    result = ping("sip:example.invalid")
    line = "ringback: example.invalid: no SIP server is known there; ringback resolve shows what the DNS says\n"
    assert (result.exit_code, result.output) == (2, line)


def test_a_domain_is_asked_where_the_dns_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3263: and at its next server where the first cannot be reached from here."""
    names = Names()
    names.add("one.example.com", "2001:db8::1", "127.0.0.1")
    monkeypatch.setattr("ringback.transport.resolver.resolver.NameServers", lambda: names)
    with udp_peer(lambda request: [response(request)]) as (port, heard):
        names.add("_sip._udp.example.com", Srv(0, 0, port, "one.example.com"))
        monkeypatch.setattr("ringback.cli.pinger.local_address", only_ipv4)
        result = ping("sip:example.com")
    assert result.exit_code == 0
    assert f"OPTIONS sip:example.com at UDP 127.0.0.1:{port}" in result.output
    assert len(heard) == 1


def only_ipv4(target: Target) -> str:
    if ":" in target.host:
        raise OSError(101, "Network is unreachable")
    return "127.0.0.1"


def test_no_way_to_the_target_is_2(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> str:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("ringback.cli.pinger.local_address", unreachable)
    result = ping("sip:127.0.0.1", "--json")
    assert (result.exit_code, result.output) == (2, "ringback: 127.0.0.1:5060 cannot be reached from here: Network is unreachable\n")
