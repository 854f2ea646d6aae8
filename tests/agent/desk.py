"""Raw peers that answer requests as a test has it, one script each, and remember what was asked and when."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from ringback.message.message import Message, Request
from tests.agent.stage import Stage
from tests.server.party import Party


class Answer(NamedTuple):
    """A final response: its status, further header lines, its body."""

    status: int
    extra: str = ""
    body: bytes = b""


Script = Callable[[Request], Answer | None]
"""What a peer answers to a request; None where it says nothing."""


class Asked(NamedTuple):
    """A request that a desk has heard, and when."""

    request: Request
    time: float


class Desk:
    """A raw peer behind a script; `asked` are the requests it heard, ACK and CANCEL left out, repetitions included."""

    def __init__(self, party: Party, script: Script) -> None:
        self.party = party
        self.script = script
        self.asked: list[Asked] = []
        party.on_message = self._hear

    def _hear(self, message: Message) -> None:
        if not isinstance(message, Request) or message.method in ("ACK", "CANCEL"):
            return
        self.asked.append(Asked(message, asyncio.get_running_loop().time()))
        answer = self.script(message)
        if answer is not None:
            self.party.reply(message, answer.status, extra=answer.extra, body=answer.body)

    @property
    def requests(self) -> list[Request]:
        """The requests without their times."""
        return [one.request for one in self.asked]

    @property
    def times(self) -> list[float]:
        """When the requests came."""
        return [one.time for one in self.asked]

    def texts(self, name: str) -> list[str | None]:
        """A field of every request."""
        return [request.headers.text(name) for request in self.requests]


async def desk(stage: Stage, name: str, script: Script, towards: str = "alice") -> Desk:
    """A new host on the stage with a script; `towards` is an agent that is there already."""
    return Desk(await stage.party(name, towards), script)


def grants(seconds: int = 600, *extra: str) -> Script:
    """A registrar that binds what it is asked to, for so many seconds, and lists that Contact alone."""

    def answer(request: Request) -> Answer:
        contact = request.headers.text("Contact")
        lines = list(extra)
        if contact is not None and contact != "*" and request.headers.text("Expires") != "0":
            lines.append(f"Contact: {contact};expires={seconds}")
        return Answer(200, "\n".join(lines))

    return answer


def in_turn(*scripts: Script | Answer | None) -> Script:
    """One script, answer or silence for each request; the last one for all that follow. A repetition over UDP counts as a request."""
    steps = itertools.chain(scripts, itertools.repeat(scripts[-1]))

    def answer(request: Request) -> Answer | None:
        step = next(steps)
        return step(request) if callable(step) else step

    return answer


def challenge(realm: str = "example.com", nonce: str = "n1", *, status: int = 401, stale: bool = False) -> Answer:
    """A 401 or 407 with a Digest challenge."""
    return Answer(status, challenge_line(realm, nonce, status=status, stale=stale))


def challenge_line(realm: str, nonce: str, *, status: int = 401, stale: bool = False) -> str:
    """The header line of a challenge."""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return f'{name}: Digest realm="{realm}", nonce="{nonce}", qop="auth", algorithm=MD5{", stale=true" if stale else ""}'


def demands(script: Script, realm: str = "example.com", *, status: int = 401) -> Script:
    """A server that challenges whoever shows no credentials for its realm, and then does as its script says."""
    field = "Authorization" if status == 401 else "Proxy-Authorization"

    def answer(request: Request) -> Answer | None:
        shown = [credentials for credentials in request.headers.values(field) if credentials.realm == realm]
        return script(request) if shown else challenge(realm, status=status)

    return answer


def resolve(names: dict[str, list[str]]) -> None:
    """Lets the running loop know these names and no others: no test asks the real DNS."""

    async def getaddrinfo(name: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        if name not in names:
            raise socket.gaierror(f"{name} is not known here")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (host, port)) for host in names[name]]

    asyncio.get_running_loop().getaddrinfo = getaddrinfo  # type: ignore[method-assign,assignment]  # a loop's own, for this test
