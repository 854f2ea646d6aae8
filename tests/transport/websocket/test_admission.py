"""Who may open a WebSocket, and what everybody else reads (RFC 7118 §4.1; RFC 6455 §4.2, §10.2)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from ringback.transport.limits import WebSocketRules
from ringback.transport.websocket.admission import Admission
from ringback.transport.websocket.handshake import Handshake
from ringback.transport.websocket.octets import ServerWebSocket
from ringback.transport.websocket.origins import Origins
from tests.transport.party import options
from tests.transport.websockets import KEY, frame, handshake


def answered(octets: bytes, rules: WebSocketRules | None = None, source: str = "192.0.2.7") -> tuple[str, str, ServerWebSocket]:
    """What a peer hears that sends these octets: the status line, the whole answer."""
    socket = ServerWebSocket(Admission(rules or WebSocketRules()), source)
    socket.feed(octets)
    answer = b"".join(socket.take_outgoing()).decode()
    return answer.partition("\r\n")[0], answer, socket


def test_a_browser_that_looks_at_the_port_reads_what_it_is() -> None:
    status, answer, socket = answered(b"GET / HTTP/1.1\r\nHost: sip.example.org\r\nAccept: text/html\r\n\r\n")
    assert status == "HTTP/1.1 426 Upgrade Required"
    assert "SIP over WebSocket (RFC 7118), subprotocol sip" in answer
    assert "\r\nUpgrade: websocket\r\n" in answer
    assert "\r\nContent-Type: text/plain; charset=utf-8\r\n" in answer
    assert socket.is_dead
    assert socket.refusal is not None


REFUSED = {
    "another subprotocol": (handshake(Sec_WebSocket_Protocol="mqtt"), "400 Bad Request", "The subprotocol has to be sip"),
    "no subprotocol": (handshake(without="Sec-WebSocket-Protocol"), "400 Bad Request", "The subprotocol has to be sip"),
    "no key": (handshake(without="Sec-WebSocket-Key"), "400 Bad Request", "Sec-WebSocket-Key"),
    "another version": (handshake(Sec_WebSocket_Version="8"), "400 Bad Request", "Sec-WebSocket-Version"),
    "a proxy of the old kind": (handshake().replace(b"HTTP/1.1", b"HTTP/1.0"), "505 HTTP Version Not Supported", "HTTP/1.0"),
    "another method": (handshake().replace(b"GET", b"POST"), "405 Method Not Allowed", "POST"),
    "plain SIP": (options(), "400 Bad Request", "This is Ringback, a SIP server"),
    "a line that is no field": (handshake().replace(b"Host:", b"Ho st"), "400 Bad Request", "no HTTP request"),
    "a head without end": (b"GET / HTTP/1.1\r\n" + b"Cookie: x\r\n" * 2_000, "431 Request Header Fields Too Large", "16384 octets"),
    "a line without end": (b"GET /" + b"x" * 20_000, "431 Request Header Fields Too Large", "16384 octets"),
    "a body": (handshake(Content_Length="5") + b"hello", "400 Bad Request", "no HTTP request"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("piece", [50, 1 << 20])
def test_who_is_not_let_in_reads_why(name: str, piece: int) -> None:
    octets, status, text = REFUSED[name]
    socket = ServerWebSocket(Admission(WebSocketRules()), "192.0.2.7")
    answers: list[bytes] = []
    for start in range(0, len(octets), piece):
        socket.feed(octets[start : start + piece])
        answers += socket.take_outgoing()
    answer = b"".join(answers).decode()
    assert answer.startswith(f"HTTP/1.1 {status}\r\n")
    assert answer.count("HTTP/1.1 ") == 1
    assert text in answer
    assert answers[-1] == b""
    assert socket.is_dead
    assert not socket.is_open


def test_a_frame_right_behind_the_handshake_is_read() -> None:
    status, _, socket = answered(handshake() + frame(options()))
    assert status == "HTTP/1.1 101 Switching Protocols"
    found = socket.next_message()
    assert found is not None
    assert found[1] == options()


def test_no_compression_is_agreed_on() -> None:
    _, answer, socket = answered(handshake(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
    assert "Extensions" not in answer
    assert socket.is_open


ORIGINS = ("https://phone.example.org", "https://*.example.com", "http://localhost:8000")


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://phone.example.org", True),
        ("HTTPS://Phone.Example.ORG", True),
        ("https://a.example.com", True),
        ("https://a.b.example.com", True),
        ("http://localhost:8000", True),
        ("http://phone.example.org", False),
        ("https://phone.example.org:8443", False),
        ("https://phone.example.org.evil.test", False),
        ("https://evil.test", False),
        ("https://example.com", False),
        ("https://evilexample.com", False),
        ("http://a.example.com", False),
        ("http://localhost", False),
        ("https://evil.test/https://phone.example.org", False),
        ("null", False),
        ("", False),
        ("*", False),
    ],
)
def test_only_pages_that_are_named_may_connect(origin: str, is_allowed: bool) -> None:
    status, answer, socket = answered(handshake(Origin=origin), WebSocketRules(origins=ORIGINS))
    if is_allowed:
        assert status.startswith("HTTP/1.1 101 ")
    else:
        assert status == "HTTP/1.1 403 Forbidden"
        assert "`origins` in [websocket] does not name it" in answer
        assert origin[:100] in answer
    assert socket.is_open == is_allowed


def test_two_origins_must_both_be_named() -> None:
    octets = handshake(Origin=ORIGINS[0]).replace(b"Upgrade: ", b"Origin: https://evil.test\r\nUpgrade: ", 1)
    assert answered(octets, WebSocketRules(origins=ORIGINS))[0] == "HTTP/1.1 403 Forbidden"


def test_who_is_no_page_names_no_origin_and_may_connect() -> None:
    assert answered(handshake(), WebSocketRules(origins=ORIGINS))[2].is_open
    assert answered(handshake(), WebSocketRules(origins=()))[2].is_open


def test_no_page_or_every_page_may_connect() -> None:
    assert answered(handshake(Origin="https://a.test"), WebSocketRules(origins=()))[0] == "HTTP/1.1 403 Forbidden"
    assert answered(handshake(Origin="null"), WebSocketRules(origins=("*",)))[2].is_open


def test_a_page_from_a_file_may_be_named() -> None:
    assert Origins(["null"]).allow("null")


@pytest.mark.parametrize("text", ["phone.example.org", "https://phone.example.org/", "ftp://a", "https://", "https://a*.test", "wss://a"])
def test_what_is_no_origin_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"an origin is written|only a whole first label"):
        Origins([text])


def test_a_path_may_be_the_only_one() -> None:
    rules = WebSocketRules(path="/ws")
    assert answered(handshake("/ws"), rules)[2].is_open
    assert answered(handshake("/ws?token=1"), rules)[2].is_open
    status, answer, _ = answered(handshake("/"), rules)
    assert status == "HTTP/1.1 404 Not Found"
    assert "at /ws on this port" in answer


PROXIES = WebSocketRules(trusted_proxies=(ip_network("127.0.0.1/32"), ip_network("2001:db8::/32")))


@pytest.mark.parametrize(
    ("source", "forwarded", "client"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9, 2001:db8::1", "203.0.113.9"),
        ("127.0.0.1", "2001:db9::1", "2001:db9::1"),
        ("127.0.0.1", "10.0.0.1, unknown", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("203.0.113.1", "10.0.0.1", "203.0.113.1"),
    ],
)
def test_a_trusted_proxy_is_believed_whom_it_connects_for(source: str, forwarded: str, client: str) -> None:
    assert answered(handshake(X_Forwarded_For=forwarded), PROXIES, source)[2].client == client


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert answered(handshake(X_Forwarded_For="10.0.0.1"), None, "127.0.0.1")[2].client == "127.0.0.1"


def test_the_key_of_the_handshake_is_the_rfc_own() -> None:
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answered(handshake(Sec_WebSocket_Key=KEY))[1]


def test_what_a_client_says_of_itself() -> None:
    handshake = Handshake("/ws?room=1", "192.0.2.7", {"cookie": 'a=1; session="x=y"; a=2; nonsense', "authorization": "Basic YWxpY2U6czpl"})
    assert handshake.cookies == {"a": "1", "session": "x=y"}
    assert handshake.credentials == ("alice", "s:e")
    assert handshake.origin is None


@pytest.mark.parametrize("text", ["", "Basic", "Basic !", "Basic YWxpY2U=", "Basic //8=", "Digest YWxpY2U6czpl"])
def test_what_are_no_credentials(text: str) -> None:
    assert Handshake("/", "192.0.2.7", {"authorization": text}).credentials is None


def test_the_operator_s_function_decides_by_what_the_client_says() -> None:
    asked: list[Handshake] = []

    def admit(handshake: Handshake) -> bool | int:
        asked.append(handshake)
        return handshake.cookies.get("session") == "good" or (401 if handshake.credentials is None else False)

    rules = WebSocketRules(admit=admit, trusted_proxies=PROXIES.trusted_proxies)
    assert answered(handshake("/ws?a", Cookie="session=good", X_Forwarded_For="203.0.113.9"), rules, "127.0.0.1")[2].is_open
    assert (asked[0].path, asked[0].source, asked[0].headers["host"]) == ("/ws?a", "203.0.113.9", "sip.example.org")
    status, answer, socket = answered(handshake(Cookie="session=bad"), rules)
    assert status == "HTTP/1.1 401 Unauthorized"
    assert '\r\nWWW-Authenticate: Basic realm="SIP over WebSocket", charset="UTF-8"\r\n' in answer
    assert socket.refusal is not None
    assert not socket.refusal.complaint
    assert answered(handshake(Authorization="Basic YWxpY2U6czpl"), rules)[0] == "HTTP/1.1 403 Forbidden"
    # Whom all else keeps out it is not asked about.
    count = len(asked)
    assert answered(handshake(Sec_WebSocket_Protocol="mqtt"), rules)[0] == "HTTP/1.1 400 Bad Request"
    assert len(asked) == count


@pytest.mark.parametrize("verdict", [None, 200, 1_000, "yes", KeyError("who")])
def test_a_function_that_says_nothing_sensible_lets_nobody_in(verdict: object) -> None:
    def admit(_: Handshake) -> bool | int:
        if isinstance(verdict, Exception):
            raise verdict
        return verdict  # type: ignore[return-value]

    status, _, socket = answered(handshake(), WebSocketRules(admit=admit))
    assert status == "HTTP/1.1 500 Internal Server Error"
    assert socket.refusal is not None
    assert socket.refusal.complaint.startswith("admit() failed: ")
