"""A user agent made of a bare socket and text: it shares no code with what it tests."""

import itertools
import os
import select
import socket
import time
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple, Self

DOMAIN = "example.test"
_numbers = itertools.count(1)


def unique() -> str:
    """Text no other test and no other process uses: for users, tags, branches, Call-IDs."""
    return f"{os.getpid():x}-{next(_numbers):x}"


class Reply(NamedTuple):
    """A response: status, header lines, body, and the whole text."""

    status: int
    lines: list[str]
    body: str
    text: str

    def field(self, name: str) -> str:
        """The values of a header field, comma-separated; "" where it is not there."""
        found = [line.partition(":") for line in self.lines]
        return ", ".join(value.strip() for key, _, value in found if key.strip().lower() == name.lower())


def reply_of(data: bytes) -> Reply:
    """Takes a response apart; anything else fails."""
    text = data.decode("utf-8", "replace")
    head, _, body = text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    if not first.startswith("SIP/2.0 "):
        raise AssertionError(f"no response: {text!r}")
    return Reply(int(first.split(" ")[1]), lines, body, text)


def request(
    method: str,
    uri: str,
    here: tuple[str, int],
    *more: str,
    to: str = "",
    transport: str = "UDP",
    body: str = "",
    call: str = "",
    cseq: int = 1,
) -> str:
    """A request by a user agent at `here`; `more` are whole header lines."""
    host = f"[{here[0]}]" if ":" in here[0] else here[0]
    call = call or unique()
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/{transport} {host}:{here[1]};branch=z9hG4bK{unique()};rport",
        "Max-Forwards: 70",
        f"From: <sip:tester@{DOMAIN}>;tag={call}",
        f"To: <{to or uri}>",
        f"Call-ID: {call}",
        f"CSeq: {cseq} {method}",
        *more,
        f"Content-Length: {len(body.encode())}",
    ]
    return "\r\n".join(lines) + "\r\n\r\n" + body


class Peer:
    """A UDP socket of an address of its own, with the server it talks to."""

    def __init__(self, server: tuple[str, int], host: str = "127.0.0.1", port: int = 0) -> None:
        self.server = server
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.here: tuple[str, int] = self.sock.getsockname()[:2]

    def send(self, text: str | bytes) -> None:
        """One datagram. A server that is not there yet is no failure."""
        try:
            self.sock.sendto(text if isinstance(text, bytes) else text.encode(), self.server)
        except ConnectionRefusedError:
            pass

    def receive(self, seconds: float) -> bytes | None:
        """The next datagram, None where none comes in time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self.sock], [], [], left)[0]:
            try:
                return self.sock.recv(65_536)
            except ConnectionRefusedError:
                continue
        return None

    def ask(self, text: str, seconds: float = 10.0, again: float = 0.5) -> Reply:
        """Sends a request, again every `again` seconds, until its final response comes. Fails after so many seconds."""
        end = time.monotonic() + seconds
        mark = next(line for line in text.split("\r\n") if line.startswith("Call-ID:"))
        number = next(line for line in text.split("\r\n") if line.startswith("CSeq:"))
        while time.monotonic() < end:
            self.send(text)
            turn = min(time.monotonic() + again, end)
            while (left := turn - time.monotonic()) > 0:
                data = self.receive(left)
                if data is None:
                    break
                reply = reply_of(data)
                if mark in reply.lines and number in reply.lines and reply.status >= 200:
                    return reply
        raise AssertionError(f"no answer within {seconds:g} s to:\n{text}")

    def options(self) -> str:
        """OPTIONS to the server itself."""
        return request("OPTIONS", f"sip:{DOMAIN}", self.here)

    def register(self, user: str, contact: str | None, *, expires: int = 300, cseq: int = 1, call: str = "") -> str:
        """REGISTER of one contact URI; None asks for the bindings, "*" removes them."""
        aor = f"sip:{user}@{DOMAIN}"
        if contact is None:
            more: Iterable[str] = ()
        elif contact == "*":
            more = ("Contact: *", "Expires: 0")
        else:
            more = (f"Contact: <{contact}>;expires={expires}",)
        return request("REGISTER", f"sip:{DOMAIN}", self.here, *more, to=aor, cseq=cseq, call=call)

    def contact(self, user: str) -> str:
        """A contact URI of this socket."""
        host = f"[{self.here[0]}]" if ":" in self.here[0] else self.here[0]
        return f"sip:{user}@{host}:{self.here[1]}"

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
