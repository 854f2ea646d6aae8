"""T17: no text of a peer's becomes anything but text, neither in what is kept nor in what is answered."""

import asyncio
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.address import Flow
from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.server.config import RegistrarConfig
from ringback.server.location.binding import Binding
from ringback.server.location.location import Location
from ringback.server.store import Store
from ringback.transaction.events import RequestReceived
from tests.server import registering
from tests.server.party import DOMAIN, simulated
from tests.server.proving import FIELDS, guarded, guest

PHONE = registering.PHONE
NASTY = [
    "'; DROP TABLE binding; --",
    '" OR ""="',
    "*)(uid=*))(|(uid=*",
    "%0d%0aContact: <sip:x@203.0.113.9>",
    "\x85Contact: x",
    "\u2028Contact: x",
    "\x0bContact: x",
    "\x1b[2J",
    "<script>alert(1)</script>",
    "a\u202eb",
    "\udcff\udcfe",
    "${jndi:ldap://x}",
    "{0}%s%n",
    "é" * 60,
    "\x7f\x01\x02",
]
octets = st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape"))
anything = st.one_of(st.sampled_from(NASTY), st.text(max_size=40), octets)


@settings(deadline=None, max_examples=60)
@given(user=anything, value=anything, call_id=anything, aor=anything)
def test_every_field_that_is_kept_comes_back_as_it_was(user: str, value: str, call_id: str, aor: str) -> None:
    """Through the registrar into SQLite and back; the answer has no line more, the table no row more than what was taken."""
    head = (
        f"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE}:5062;branch=z9hG4bK1\r\nFrom: <sip:{aor}@example.com>;tag=1\r\n"
        f"To: <sip:{aor}@example.com>\r\nCall-ID: {call_id}\r\nCSeq: 1 REGISTER\r\n"
        f'Contact: <sip:{user}@{PHONE}:5062;x={value}>;y="{value}"\r\nContent-Length: 0\r\n\r\n'
    )
    request = parse_datagram(head.encode("utf-8", "surrogateescape"))
    if not isinstance(request, Request):
        return
    with tempfile.TemporaryDirectory() as name:
        store = Store(name)
        house = registering.House(RegistrarConfig(), store)
        event = RequestReceived(request, Flow(house.endpoint, (PHONE, 5062)), object())  # type: ignore[arg-type]
        house.registrar.receive(event, house.now)
        before = kept_by(house.location)
        [answer] = house.answers
        is_taken = answer.status == 200 and "contact" in request.headers.keys
        assert len(before) == is_taken
        assert parse_again(answer).headers.keys == answer.headers.keys
        assert answer.headers.keys.count("contact") == is_taken
        store.close()
        store = Store(name)
        again = Location(store, clock=lambda: 1_000.0, wall=lambda: registering.WALL)
        assert kept_by(again) == before
        tables = {row[0] for row in store.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == {"meta", "secret", "binding", "user", "forwarding"}
        house.location.close()
        again.close()
        store.close()


def kept_by(location: Location) -> list[tuple[object, ...]]:
    return [described(binding) for bindings in location._by_aor.values() for binding in bindings]


def described(binding: Binding) -> tuple[object, ...]:
    return tuple(getattr(binding, name) for name in ("aor", "contact", "params", "q", "expires", "call_id", "cseq", "path", "source"))


def parse_again(response: Response) -> Response:
    parsed = parse_datagram(response.to_bytes())
    assert isinstance(parsed, Response)
    return parsed


@pytest.mark.parametrize("domains", [(DOMAIN,), ()])
@pytest.mark.parametrize("method", ["REGISTER", "MESSAGE"])
@simulated
async def test_no_answer_to_an_attacker_has_a_line_of_his(method: str, domains: tuple[str, ...]) -> None:
    """Also where every domain is served, so that the realm of a challenge is the domain he names."""
    async with guarded(domains=domains, waits=False) as house:
        await guest(house, "alice")
        mallory = await house.party("mallory", "198.51.100.1")
        status = 401 if method == "REGISTER" else 407
        challenge, credentials = FIELDS[status]
        wanted = {"via", "from", "to", "call-id", "cseq", "content-length", challenge.lower()}
        count = 0
        for nasty in NASTY:
            shown = nasty.replace('"', "'").replace("\\", "")
            for address in (f"<sip:{nasty}@{DOMAIN}>", f"<sip:alice@{nasty}>", f'"{shown}" <sip:alice@{DOMAIN}>'):
                for text in (
                    f'Digest username="{nasty}", realm="{nasty}", nonce="{nasty}", uri="{nasty}", response="{nasty}"',
                    f'Digest username="alice", realm="{DOMAIN}", nonce="{nasty}", uri="{nasty}", response="{nasty}", algorithm=MD5',
                    nasty,
                ):
                    uri = f"sip:{DOMAIN}" if method == "REGISTER" else f"sip:bob@{DOMAIN}"
                    lines = [
                        f"{method} {uri} SIP/2.0",
                        f"Via: SIP/2.0/UDP 198.51.100.1;branch={mallory.branch()}",
                        f"From: {address};tag=1",
                        f"To: {address}",
                        "Call-ID: 1",
                        f"CSeq: 1 {method}",
                        f"{credentials}: {text}",
                        "Content-Length: 0",
                    ]
                    mallory.send(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
                    count += 1
        await asyncio.sleep(1)
        assert house.server.core.stack.faults == 0
        answers = [heard.message for heard in mallory.heard]
        # An answer repeats From and To, which cannot be parsed where what they repeat could not.
        assert len(answers) + len(mallory.malformed) == count
        for answer in answers:
            assert isinstance(answer, Response)
            assert answer.status in (400, 403, status)
            assert {*answer.headers.keys} <= wanted
            assert answer.headers.keys.count(challenge.lower()) in (0, 1, 2)
        assert sum(answer.status == status for answer in answers if isinstance(answer, Response)) > 10
        assert len(house.server.location) == 0
