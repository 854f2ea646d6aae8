"""`ringback call`: what it says on the wire and to its user, how Ctrl-C ends it, its exit statuses."""

import json
import signal
import socket
from pathlib import Path

import pytest

from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from tests.cli.peer import response, udp_peer
from tests.cli.running import account, answering, at, running, say
from tests.cli.serving import serving
from tests.cli.terminal import on_terminal

SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


def accepted(request: str, port: int) -> str:
    """A 2xx with an answer."""
    head = response(request, "200 OK", f"Contact: <sip:bob@127.0.0.1:{port}>", "Content-Type: application/sdp")
    return head.replace("Content-Length: 0", f"Content-Length: {len(SDP)}") + SDP


def parsed(text: str) -> Request:
    request = parse_datagram(text.encode())
    assert isinstance(request, Request)
    return request


def test_two_commands_call_each_other() -> None:
    with answering("--once", "--name", "Bob Ä") as (phone, uri):
        result = say("call", uri, "--user", "alice@example.test", "--name", "Alice", "--hang-up-after", "50ms")
        assert phone.end() == 0
    assert result.exit_code == 0
    assert result.output.split("\n") == [
        f"calling {uri}",
        "180 Ringing",
        "in call with sip:bob@127.0.0.1",
        "call with sip:bob@127.0.0.1 ended after 00:00: we hung up",
        "",
    ]
    assert phone.said[1:] == [
        "call from Alice <sip:alice@example.test>",
        "in call with Alice <sip:alice@example.test>",
        "call with Alice <sip:alice@example.test> ended after 00:00: the peer hung up",
    ]
    assert phone.complaints == []


def test_the_callee_hangs_up() -> None:
    with answering("--hang-up-after", "0.05") as (_, uri):
        result = say("call", uri)
    assert result.exit_code == 0
    assert "ended after 00:00: the peer hung up" in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_hangs_up(number: int) -> None:
    with answering("--once") as (phone, uri), running("call", uri) as caller:
        caller.hear("in call with")
        caller.press(number)
        assert caller.end() == 0
        assert phone.end() == 0
    assert caller.said[-1].endswith("we hung up")
    assert phone.said[-1].endswith("the peer hung up")


def test_ctrl_c_while_it_rings_cancels() -> None:
    with answering("--once", "--after", "1h") as (phone, uri), running("call", uri) as caller:
        caller.hear("180 Ringing")
        caller.press()
        assert caller.end() == 130
        assert phone.end() == 0
    assert caller.said[-1] == "given up"
    assert phone.said[-1] == f"call from {phone.said[-2].removeprefix('call from ')} not answered: the caller cancelled"


def test_a_second_ctrl_c_does_not_wait_for_a_peer_that_is_gone() -> None:
    def answer(request: str) -> list[str]:
        return [accepted(request, parsed(request).uri.port)] if request.startswith("INVITE") else []  # type: ignore[union-attr, arg-type]

    with udp_peer(answer) as (port, heard), running("call", f"sip:bob@127.0.0.1:{port}", "--trace") as caller:
        caller.hear("in call with")
        caller.press()
        caller.hear("BYE")
        # The same Ctrl-C by another way is not a second one; this one is.
        caller.hear("BYE")
        caller.press()
        assert caller.end() == 0
    assert sum(text.startswith("BYE") for text in heard) < 4
    assert caller.complaints == []


def test_what_a_refusal_says_is_shown() -> None:
    refusal = ['Warning: 305 bob.test "codec \x1b[31m"', "Retry-After: 5"]
    with udp_peer(lambda text: [response(text, "488 Not \u202e Here", *refusal)] if text.startswith("INVITE") else []) as (port, _):
        result = say("call", f"sip:bob@127.0.0.1:{port}")
        told = say("call", f"sip:bob@127.0.0.1:{port}", "--json")
    assert result.exit_code == told.exit_code == 1
    line = 'ringback: 488 Not \\u202e Here (Warning: 305 bob.test "codec \\x1b[31m"; Retry-After: 5)'
    assert result.output == f"calling sip:bob@127.0.0.1:{port}\n{line}\n"
    failed = json.loads(told.output.split("\n")[1])
    assert (failed["event"], failed["status"], failed["reason"], failed["retry_after"]) == ("failed", 488, "Not \u202e Here", "5")
    assert failed["fault"] == line.removeprefix("ringback: ")


def test_json() -> None:
    with answering() as (_, uri):
        result = say("call", uri, "--hang-up-after", "0", "--json")
    events = [json.loads(line) for line in result.output.split("\n")[:-1]]
    assert [one["event"] for one in events] == ["calling", "progress", "answered", "ended"]
    assert events[0]["uri"] == uri
    assert (events[1]["status"], events[1]["reason"]) == (180, "Ringing")
    assert events[3]["why"] == "we hung up"
    assert isinstance(events[3]["seconds"], float)
    assert all(one["time"].endswith("+00:00") for one in events)


def test_nobody_answers_in_time() -> None:
    with answering("--after", "1h", "--once") as (phone, uri):
        result = say("call", uri, "--ring-for", "1s")
        assert phone.end() == 0
    assert result.exit_code == 3
    assert result.output.endswith("180 Ringing\nringback: not answered within 1 s\n")


@pytest.mark.parametrize(("transport", "why"), [("udp", "Port unreachable"), ("tcp", "Connection refused"), ("ws", "Connection refused")])
@pytest.mark.parametrize("names", ["an option", "the proxy's URI"])
def test_nobody_there(transport: str, why: str, names: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    way = ("--transport", transport) if names == "an option" else ("--proxy", f"sip:127.0.0.1:{port};transport={transport}")
    result = say("call", f"127.0.0.1:{port}", *way)
    assert result.exit_code == 3
    assert result.output.endswith(f"ringback: nobody can be reached there: {why}\n")


def test_a_redirection_is_followed_unless_it_shall_not_be() -> None:
    with answering() as (_, uri), answering("--redirect", uri) as (_, first):
        followed = say("call", first, "--hang-up-after", "0")
        refused = say("call", first, "--no-redirect")
    assert followed.exit_code == 0
    assert (refused.exit_code, refused.output) == (1, f"calling {first}\nringback: 302 Moved Temporarily (Contact: <{uri}>)\n")


def test_what_the_invite_says() -> None:
    with udp_peer(lambda text: [response(text, "486 Busy Here")] if text.startswith("INVITE") else []) as (port, heard):
        uri = f"sip:bob@127.0.0.1:{port}"
        say("call", uri, "--user", "alice@example.test", "--name", "Alice")
        say("call", uri, "--user", "alice@example.test", "--late-offer", "--ring-for", "1m")
        say("call", uri, "--user", "alice@example.test", "--name", "Alice", "--anonymous")
        say("call", "bob", "--user", f"alice@127.0.0.1:{port}")
        say("call", "tel:+49-30-1", "--user", f"alice@127.0.0.1:{port}")
        say("call", "bob@example.test", "--proxy", f"127.0.0.1:{port}")
    invites = [parsed(text) for text in heard if text.startswith("INVITE")]
    assert invites[0].headers.text("From") == f"Alice <sip:alice@example.test>;tag={invites[0].from_tag}"
    assert invites[0].body.startswith(b"v=0")
    assert (invites[1].body, invites[1].expires) == (b"", 60)
    assert "alice" not in heard[4].lower()
    assert invites[2].headers.text("Privacy") == "id"
    assert invites[2].from_.uri_text == "sip:anonymous@anonymous.invalid"
    assert invites[3].uri_text == uri
    assert invites[4].uri_text == f"sip:+49-30-1@127.0.0.1:{port};user=phone"
    assert (invites[5].uri_text, invites[5].headers.text("Route")) == ("sip:bob@example.test", f"<sip:127.0.0.1:{port};lr>")


def test_through_a_server_with_a_password(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("alice", "bob"):
        account(data, name, f"{name}'s")
    password = tmp_path / "password"
    password.write_text("bob's\nnot this\n")
    with (
        serving("--listen", "udp://127.0.0.1:0", "--data", str(data), folder=tmp_path, auth=None) as server,
        running("answer", "--register", "--once", "--user", "bob@example.org", "--password-file", str(password), *at(server)) as bob,
    ):
        bob.hear("registered sip:bob@example.org for 1h")
        wrong = say("call", "bob", "--user", "alice@example.org", "--trace", *at(server), RINGBACK_PASSWORD="wrong")
        none = say("call", "bob", "--user", "alice@example.org", *at(server))
        right = say("call", "bob", "--user", "alice@example.org", "--hang-up-after", "0", *at(server), RINGBACK_PASSWORD="alice's")
        assert bob.end() == 0
    assert wrong.exit_code == none.exit_code == 4
    assert wrong.output.count("─ INVITE") == 2
    assert wrong.output.endswith("ringback: 407 Proxy Authentication Required: wrong password or unknown user for example.org\n")
    why = "a password is wanted for example.org; give --password-file, --password or RINGBACK_PASSWORD"
    assert none.output.endswith(f"ringback: 407 Proxy Authentication Required: {why}\n")
    assert right.exit_code == 0
    assert bob.said[-1] == "unregistered sip:bob@example.org"


def test_a_stranger_who_asks_does_not_get_the_password() -> None:
    challenge = 'WWW-Authenticate: Digest realm="elsewhere", nonce="1", algorithm=MD5'
    with udp_peer(lambda text: [response(text, "401 Unauthorized", challenge)] if text.startswith("INVITE") else []) as (port, heard):
        result = say("call", f"sip:bob@127.0.0.1:{port}", "--user", "alice@example.test", "--password", "secret")
    assert result.exit_code == 4
    assert result.output.endswith("elsewhere is not the domain of --user, nor --proxy, so it does not get the password\n")
    assert not any("Authorization" in text for text in heard)


def test_the_ladder_is_among_the_lines_or_beside_the_json() -> None:
    with answering() as (_, uri):
        plain = say("call", uri, "--hang-up-after", "0", "--trace")
        told = say("call", uri, "--hang-up-after", "0", "--trace", "--json", "--transport", "tcp")
    assert "INVITE (SDP)" in plain.stdout
    assert "in call with" in plain.stdout
    assert all(line.startswith("{") for line in told.stdout.split("\n")[:-1])
    assert "TCP 127.0.0.1:" in told.stderr
    assert "INVITE (SDP)" in told.stderr


def test_on_a_terminal_the_state_stands_below_the_lines() -> None:
    with answering("--after", "2s") as (_, uri):
        terminal = on_terminal("call", uri)
        with terminal:
            terminal.until("00:01.*180 Ringing at .*; Ctrl-C gives up")
            terminal.until("00:00.*in call with .*; Ctrl-C hangs up")
            terminal.press("\x03")
            assert terminal.end() == 0
    assert terminal.lines() == [
        f"calling {uri}",
        "180 Ringing",
        "in call with sip:bob@127.0.0.1",
        "call with sip:bob@127.0.0.1 ended after 00:00: we hung up",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sip:a b"], "ringback: URI: sip:a b is no SIP URI: malformed SIP URI"),
        (["sip:bob@example.test;transport=sctp"], "ringback: URI: the transport sctp is unknown; allowed are udp, tcp, tls, ws, wss"),
        (["bob:secret@example.test"], "ringback: URI: a URI is no place for a password (what stands between : and @)"),
        (["tel:+1"], "ringback: URI: tel:+1 is a number of the domain of --user, which is missing"),
        (["bob@b.test", "--user", "alice"], "ringback: --user: alice is no USER@DOMAIN, such as alice@example.org"),
        (["bob@b.test", "--user", "\x1b[2J@"], "ringback: --user: \\x1b[2J@ is no SIP URI"),
        (["bob@b.test", "--proxy", "!"], "ringback: --proxy: ! is no SIP URI: malformed SIP URI"),
        (["bob@b.test", "--password", "x"], "ringback: a password is somebody's: name --user too"),
        (["bob@b.test", "--listen", "5060"], "ringback: --listen 5060: must be written udp://ADDRESS:PORT, likewise tcp, tls, ws and wss"),
        (["b.test", "--listen", "udp://192.0.2.99:1"], "ringback: cannot listen: Cannot assign requested address: UDP 192.0.2.99:1"),
        (["bob@b.test", "--ring-for", "soon"], "'--ring-for': 'soon' is no duration such as 500ms, 2s, 1m30s or 1h"),
        (["bob@b.test", "--ring-for", "2h"], "Invalid value for '--ring-for': '2h' is not from 1s to 1h"),
        (["bob@b.test", "--password-file", "/absent"], "ringback: --password-file: /absent: No such file or directory"),
        ([], "Missing argument 'URI'"),
    ],
)
def test_what_cannot_be_done_as_told_is_2(arguments: list[str], line: str) -> None:
    result = say("call", *arguments)
    assert result.exit_code == 2
    assert line in result.output
