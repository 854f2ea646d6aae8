"""T16: a stranger learns of nobody whether there is such a user, neither from an answer's octets nor from its time."""

import gc
import random
import re
import statistics
import time

import pytest

from ringback.address import Endpoint, Flow
from ringback.message.message import Response
from ringback.message.parser import parse_datagram
from ringback.server.access import Access
from ringback.server.config import AccessConfig
from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location
from ringback.server.operation.security import SecurityLog
from ringback.server.proxy.routing import Reject
from ringback.server.users import Users
from ringback.transport.tls.identity import NOBODY
from tests.server.party import DOMAIN, simulated
from tests.server.proving import PASSWORD, answer_to, answering, challenged, guarded, guest, prove

METHODS = ["REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH"]
# Of one length, so that nothing else differs.
KNOWN, CALLABLE, UNKNOWN = "alice", "bobby", "nobod"


def masked(response: Response) -> bytes:
    """An answer without what is random in each, nor whom it is about."""
    text = re.sub(rb'(;tag=|;branch=|nonce="|\r\nCall-ID: )[^;"\r\n]+', rb"\1", response.to_bytes())
    return re.sub(rb"alice|bobby|nobod|mallo", b"WHOSE", text)


@pytest.mark.parametrize("method", METHODS)
@simulated
async def test_known_and_unknown_users_are_answered_octet_for_octet_alike(method: str) -> None:
    """As the one called and as the one who calls, without credentials, with wrong ones, with good ones of a name that is not there."""
    async with guarded(waits=False) as house:
        await guest(house, KNOWN)
        await house.party(CALLABLE, q=1.0)
        mallory = await house.party("mallo", "198.51.100.1")
        answers = set()
        for user in (KNOWN, CALLABLE, UNKNOWN):
            for as_user in (KNOWN, CALLABLE, UNKNOWN) if method != "REGISTER" else (user,):
                request = mallory.request(
                    method,
                    f"sip:{DOMAIN}" if method == "REGISTER" else f"sip:{user}@{DOMAIN}",
                    to=f"<sip:{user}@{DOMAIN}>",
                    from_=f"<sip:{as_user}@{DOMAIN}>;tag=1",
                    contact="<sip:x@198.51.100.1>",
                )
                response = await challenged(mallory, request)
                again = answering(mallory, request, response, user=as_user, password="guess")
                second = await challenged(mallory, again)
                answers |= {masked(response), masked(second).replace(b"CSeq: 2", b"CSeq: 1")}
        assert len(answers) == 1, answers


@pytest.mark.parametrize("method", METHODS[1:])
@simulated
async def test_who_has_shown_his_password_may_learn_who_is_there(method: str) -> None:
    async with guarded(waits=False) as house:
        alice, bobby = await guest(house, KNOWN), await house.party(CALLABLE, q=1.0)
        await prove(alice, alice.request(method, f"sip:{UNKNOWN}@{DOMAIN}"))
        await alice.hears(f"404 {method}")
        await prove(alice, alice.request(method, f"sip:{CALLABLE}@{DOMAIN}"))
        await bobby.hears(method)


@simulated
async def test_a_thousand_names_find_nobody() -> None:
    async with guarded(waits=False) as house:
        await guest(house, "100")
        await house.party("200", q=1.0)
        mallory = await house.party("mallo", "198.51.100.1")
        for number in range(1000):
            for method in ("REGISTER", "INVITE", "OPTIONS"):
                uri = f"sip:{DOMAIN}" if method == "REGISTER" else f"sip:{number}@{DOMAIN}"
                address = f"<sip:{number}@{DOMAIN}>"
                mallory.ask(method, uri, to=address, from_=f"{address};tag=1", contact="<sip:x@198.51.100.1>")
        await mallory.hears("401 REGISTER")
        assert {heard.message.status for heard in mallory.heard if isinstance(heard.message, Response)} == {401, 407}


# Time


def access_of(users: Users) -> Access:
    domains = Domains([DOMAIN], [Endpoint("UDP", "192.0.2.100", 5060)])
    location = Location(None, clock=lambda: 0.0)
    return Access(
        users,
        domains,
        location,
        Gruus(b"key"),
        AccessConfig(),
        prove=lambda *_: None,
        is_spiral=lambda *_: False,
        peer=lambda _: NOBODY,
        security=SecurityLog(),
    )


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_the_answer_takes_as_long_for_an_unknown_user(method: str, algorithm: str, long_form: bool) -> None:
    """Welch's t of the middle halves. In its short form, where the machine may be busy, only a difference of kind fails: a look-up on the
    disk, a hash more or less; in its long form |t| < 4.5 over 5,000 pairs, the best of five trials.
    """
    users = Users()
    for number in range(1000):
        users.add(f"user{number:04}", DOMAIN, PASSWORD)
    access = access_of(users)
    flow = Flow(Endpoint("UDP", "192.0.2.100", 5060), ("198.51.100.1", 5060))
    pairs, trials = (5_000, 5) if long_form else (400, 5)
    chance = random.Random(3261)

    def measured(user: str) -> int:
        uri = f"sip:{DOMAIN}" if method == "REGISTER" else f"sip:bob@{DOMAIN}"
        field = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
        credentials = answer_to({"algorithm": algorithm, "realm": DOMAIN, "nonce": "A" * 32}, method, uri, user, "guess")
        octets = (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:{user}@{DOMAIN}>;tag=1\r\n"
            f"To: <sip:{user}@{DOMAIN}>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n{field}: {credentials}\r\n\r\n"
        ).encode()
        request = parse_datagram(octets)
        place = access._domains.place(uri)
        access._domains.place(f"sip:{user}@{DOMAIN}")
        ask = access.register if method == "REGISTER" else access.refusal
        begin = time.perf_counter_ns()
        found = ask(request, flow, place, 1.0)  # type: ignore[operator, arg-type]  # it is a request
        took = time.perf_counter_ns() - begin
        assert isinstance(found, Reject)
        return took

    def t_value() -> tuple[float, float]:
        known, unknown = [], []
        for _ in range(pairs):
            number = chance.randrange(1000)
            one, other = (known, f"user{number:04}"), (unknown, f"nobo{number:04}")
            for times, user in (one, other) if chance.random() < 0.5 else (other, one):
                times.append(measured(user))
        known, unknown = (sorted(times)[pairs // 4 : -pairs // 4] for times in (known, unknown))
        mean, other_mean = statistics.fmean(known), statistics.fmean(unknown)
        error = (statistics.variance(known) / len(known) + statistics.variance(unknown) / len(unknown)) ** 0.5
        return abs(mean - other_mean) / error, abs(mean - other_mean) / mean

    gc.disable()
    try:
        t_value()
        trial = [t_value() for _ in range(trials)]
    finally:
        gc.enable()
    if long_form:
        assert min(t for t, _ in trial) < 4.5, trial
    else:
        assert min(share for _, share in trial) < 0.1, trial
