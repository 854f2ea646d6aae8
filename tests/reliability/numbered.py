"""A thousand requests a second with numbers on them: every one must be answered 200, none lost, none refused."""

import select
import threading
import time
from types import TracebackType
from typing import Self

from tests.interop.wire import DOMAIN, Peer, reply_of, request

# As timer E has it, so that a datagram the kernel dropped on a busy machine is no fault of the server's.
_AGAIN = 0.5
_PHONE = "phone"


class Numbered:
    """OPTIONS to the server, REGISTER, and MESSAGE to a phone that answers, in turn; it sends until it is left."""

    def __init__(self, server: tuple[str, int], rate: float) -> None:
        self.sent = 0
        self.answered = 0
        self.faults: list[str] = []
        self._interval = 1 / rate
        self._caller, self._phone = Peer(server, "127.0.0.2"), Peer(server, "127.0.0.3")
        self._waiting: dict[str, tuple[float, str]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        assert self._phone.ask(self._phone.register(_PHONE, self._phone.contact(_PHONE), expires=3600)).status == 200
        for peer in (self._caller, self._phone):
            peer.sock.setblocking(False)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()
        self._caller.close()
        self._phone.close()

    def _run(self) -> None:
        due = time.monotonic()
        again = due + _AGAIN
        end = float("inf")
        while True:
            now = time.monotonic()
            if self._stopping.is_set():
                end = min(end, now + 10)
                if not self._waiting or now > end:
                    break
            while due <= now and not self._stopping.is_set():
                due += self._interval
                self._send_one(now)
            if now > again:
                again = now + _AGAIN
                for sent, text in self._waiting.values():
                    if now - sent > _AGAIN:
                        self._caller.send(text)
            select.select([self._caller.sock, self._phone.sock], [], [], max(min(due, again) - time.monotonic(), 0))
            self._answer()
            self._take_answers()
        self.faults += [f"{call}: no answer" for call in self._waiting]

    def _send_one(self, now: float) -> None:
        number = self.sent
        self.sent += 1
        call = f"n{number}"
        if number % 3 == 0:
            text = request("OPTIONS", f"sip:{DOMAIN}", self._caller.here, call=call)
        elif number % 3 == 1:
            user = f"user{number % 50}"
            text = self._caller.register(user, self._caller.contact(user), call=call)
        else:
            text = request("MESSAGE", f"sip:{_PHONE}@{DOMAIN}", self._caller.here, call=call)
        self._waiting[call] = (now, text)
        self._caller.send(text)

    def _answer(self) -> None:
        """What the phone says to what reaches it."""
        while (data := _received(self._phone)) is not None:
            head = data.decode().split("\r\n")
            if head[0].startswith("MESSAGE "):
                kept = [line for line in head if line.partition(":")[0].lower() in ("via", "from", "to", "call-id", "cseq")]
                self._phone.send("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]))

    def _take_answers(self) -> None:
        while (data := _received(self._caller)) is not None:
            reply = reply_of(data)
            if reply.status < 200 or self._waiting.pop(reply.field("Call-ID"), None) is None:
                continue
            self.answered += 1
            if reply.status != 200:
                self.faults.append(reply.text)


def _received(peer: Peer) -> bytes | None:
    try:
        return peer.sock.recv(65_536)
    except (BlockingIOError, ConnectionRefusedError):
        return None
