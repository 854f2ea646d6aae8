"""T08: whatever credentials somebody puts together, none is taken that an independent computation does not confirm, and none twice."""

import asyncio
import hashlib
import itertools
import re
from pathlib import Path

import pytest

from ringback.message.message import Request, Response
from ringback.testing import run
from tests.server.party import DOMAIN, Party, simulated
from tests.server.proving import PASSWORD, answering, challenged, challenges_of, guarded, guest, hashed, obliging, prove

REPLAYS = 100


def register_request(alice: Party, *, binds: bool = True) -> Request:
    return alice.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:alice@{DOMAIN}>", contact=f"<{alice.uri}>" if binds else None)


def statuses(party: Party) -> list[int]:
    return [heard.message.status for heard in party.heard if isinstance(heard.message, Response) and heard.message.status != 100]


@pytest.mark.parametrize("method", ["REGISTER", "MESSAGE"])
@simulated
async def test_captured_credentials_are_taken_never_again(method: str) -> None:
    """From the same address and from another, with other Call-IDs and Contacts, later and with a higher CSeq."""
    async with guarded(waits=False) as house:
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        bound = len(house.server.location)
        if method == "REGISTER":
            request = register_request(alice)
        else:
            request = alice.request(method)
        obliging(bob)
        captured = await prove(alice, request)
        await asyncio.sleep(1)
        field = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
        heard = len(bob.heard)
        mallory = await house.party("mallory", "198.51.100.1")
        for number in range(REPLAYS):
            sender = (alice, mallory)[number % 2]
            replay = sender.request(
                method,
                request.uri_text,
                from_=str(request.headers.text("From")),
                to=str(request.headers.text("To")),
                contact=f"<sip:x{number}@{sender.host}>" if method == "REGISTER" else None,
                cseq=number + 10,
                extra=f"{field}: {captured.headers.text(field)}",
            )
            sender.send(replay)
        await asyncio.sleep(40)
        refused = 401 if method == "REGISTER" else 407
        assert statuses(mallory) == [refused] * (REPLAYS // 2)
        assert statuses(alice).count(refused) == REPLAYS // 2 + 1
        assert "stale=true" in str(mallory.heard[0].message)
        assert len(house.server.location) == bound + (method == "REGISTER")
        assert len(bob.heard) == heard


def test_captured_credentials_are_not_taken_after_a_restart_either(tmp_path: Path) -> None:
    captured: list[Request] = []

    async def before() -> None:
        async with guarded(data=tmp_path, waits=False) as house:
            alice = await guest(house, "alice")
            # A query: what is stored is written by a thread, which knows no simulated time.
            captured.append(await prove(alice, register_request(alice, binds=False)))
            await alice.hears("200 REGISTER")
            # One that never arrived: its count is unused.
            request = register_request(alice, binds=False)
            captured.append(answering(alice, request, await challenged(alice, request)))

    async def after() -> None:
        async with guarded(data=tmp_path, waits=False) as house:
            alice = await guest(house, "alice")
            for request in captured * (REPLAYS // 2):
                request.headers.set("Call-ID", alice.branch())
                request.headers.set("Via", f"SIP/2.0/UDP {alice.host}:5060;branch={alice.branch()}")
                alice.send(request)
            await asyncio.sleep(1)
            assert statuses(alice) == [401] * REPLAYS

    run(before())
    run(after())


@simulated
async def test_each_count_of_a_nonce_is_good_once_and_only_rising() -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        request = register_request(alice)
        response = await challenged(alice, request)
        for count, status in ((1, 200), (2, 200), (2, 401), (1, 401), (7, 200), (5, 401), (8, 200), (0, 401)):
            request.headers.set("CSeq", f"{request.cseq.number + 1} REGISTER")
            alice.send(answering(alice, request, response, nc=count))
            await alice.hears(f"{status} REGISTER")


# The matrix: one part after another of good credentials is replaced

_PARTS: dict[str, list[str | None]] = {
    "username": ['"bob"', '""', '"nobody"', '"alice "', '"Alice"', '"alicé"', '"alice", username="bob"', None],
    "realm": ['"other.example"', '""', '"EXAMPLE.COM"', None],
    "nonce": ['""', '"AAAA"', '"' + "A" * 32 + '"', None],
    "uri": ['"sip:elsewhere.example"', '"sip:bob@example.com"', '""', '"*"', None],
    "response": ['"' + "0" * 64 + '"', '""', '"' + "0" * 32 + '"', None],
    "algorithm": ["MD5", "SHA-512-256", "SHA-1", "MD5-sess", "SHA-256-sess", "AKAv1-MD5", '""', None],
    "cnonce": ['"other"', '""', None],
    "qop": ["auth-int", '"auth"', "none", '""', None],
    "nc": ["00000002", "00000000", "1", "ffffffff", "-0000001", '""', None],
}
_SCHEMES = ("Digest", "digest", "Basic", "Bearer", "AKA", "")


def parts_of(text: str) -> dict[str, str]:
    return dict(re.findall(r'([a-z]+)=("[^"]*"|[^", ]+)', text))


def rendered(parts: dict[str, str], scheme: str = "Digest") -> str:
    return f"{scheme} " + ", ".join(f"{name}={value}" for name, value in parts.items())


def is_right(parts: dict[str, str], method: str, uri: str, nonces: set[str]) -> bool:
    """The oracle: RFC 7616 and RFC 2069 in plain hashlib, for the one user alice, who is at home in one realm."""
    bare = {name: value.strip('"') for name, value in parts.items()}
    algorithm = bare.get("algorithm", "MD5")
    if bare.get("username") != "alice" or bare.get("realm") != DOMAIN or bare.get("uri") != uri or algorithm not in ("MD5", "SHA-256"):
        return False
    first, second = hashed(algorithm, f"alice:{DOMAIN}:{PASSWORD}"), hashed(algorithm, f"{method}:{uri}")
    middle = bare.get("nonce", "")
    if "qop" in bare:
        middle += f":{bare.get('nc', '')}:{bare.get('cnonce', '')}:{bare['qop']}"
    return middle.partition(":")[0] in nonces and bare.get("response") == hashed(algorithm, f"{first}:{middle}:{second}")


def _variants() -> list[dict[str, str | None]]:
    single: list[dict[str, str | None]] = [{name: value} for name, values in _PARTS.items() for value in values]
    return [{}, *single, *({**one, **other} for one, other in itertools.combinations(single, 2) if one.keys() != other.keys())][
        ::2
    ] + single


@pytest.mark.parametrize("method", ["REGISTER", "MESSAGE"])
@simulated
async def test_what_is_taken_an_oracle_confirms(method: str) -> None:
    """Some six hundred of each: single parts replaced and pairs of them, each with a new nonce."""
    taken = refused = 0
    async with guarded(waits=False) as house:
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        house.server.users.add("bob", DOMAIN, "another password")
        obliging(bob)
        field = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
        for change in _variants():
            request = register_request(alice) if method == "REGISTER" else alice.request(method)
            response = await challenged(alice, request)
            again = answering(alice, request, response)
            parts = parts_of(str(again.headers.text(field)))
            for name, value in change.items():
                if value is None:
                    parts.pop(name)
                else:
                    parts[name] = value
            again.headers.set(field, rendered(parts))
            alice.send(again)
            answer = (await alice_hears(alice)).status
            nonces = {challenge["nonce"] for challenge in challenges_of(response).values()}
            if answer == 200:
                assert is_right(parts, method, request.uri_text, nonces), change
                taken += 1
            else:
                assert answer in (401, 407, 400), (change, answer)
                refused += 1
    assert taken >= 3
    assert refused > 500


async def alice_hears(alice: Party) -> Response:
    """The next response, whatever it is."""
    while not alice._inbox:
        await asyncio.sleep(0.01)
    message = alice._inbox.pop(0).message
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize("scheme", _SCHEMES)
@simulated
async def test_no_scheme_but_digest_is_taken_or_asked_for(scheme: str) -> None:
    """§22: never Basic, in neither direction."""
    async with guarded() as house:
        alice = await guest(house, "alice")
        request = register_request(alice)
        response = await challenged(alice, request)
        assert all(text.startswith("Digest ") for text in response.headers.texts("WWW-Authenticate"))
        again = answering(alice, request, response)
        text = str(again.headers.text("Authorization")).partition(" ")[2]
        again.headers.set("Authorization", f"{scheme} {text}" if scheme != "Basic" else "Basic YWxpY2U6b3BlbiBzZXNhbWU=")
        alice.send(again)
        await alice.hears("200 REGISTER" if scheme.lower() == "digest" else "401 REGISTER")


@pytest.mark.parametrize(
    "credentials",
    [
        "Digest",
        "Digest ,",
        "Digest x",
        'Digest username="alice',
        "Digest " + "a=b," * 100,
        "Digest username=\udcff",
        "\x00",
        "=",
        "Digest " + "," * 500,
    ],
)
@simulated
async def test_credentials_that_are_none_are_no_credentials(credentials: str) -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        octets = register_request(alice).to_bytes()
        line = f"\r\nAuthorization: {credentials}\r\nContent-Length".encode("utf-8", "surrogateescape")
        alice.send(octets.replace(b"\r\nContent-Length", line))
        assert (await alice_hears(alice)).status in (400, 401)
        assert len(house.server.location) == 0


@simulated
async def test_credentials_of_one_method_are_not_those_of_another() -> None:
    """A captured answer to REGISTER places no call, and one to MESSAGE no call either."""
    async with guarded() as house:
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        for method, uri in (("REGISTER", f"sip:{DOMAIN}"), ("MESSAGE", f"sip:bob@{DOMAIN}")):
            request = alice.request(method, uri, to=f"<sip:alice@{DOMAIN}>")
            unused = answering(alice, request, await challenged(alice, request))
            text = unused.headers.text("Authorization") or unused.headers.text("Proxy-Authorization")
            alice.ask("INVITE", uri, extra=f"Proxy-Authorization: {text}")
            await alice.hears("407 INVITE")
        await bob.hears_nothing()


@simulated
async def test_two_credentials_for_the_realm_are_not_twice_the_chance() -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        request = register_request(alice)
        response = await challenged(alice, request)
        again = answering(alice, request, response, password="wrong")
        again.headers.append("Authorization", str(answering(alice, request, response, password="also wrong").headers.text("Authorization")))
        alice.send(again)
        await alice.hears("401 REGISTER")


@simulated
async def test_a_body_cannot_be_changed_under_an_answer_that_covers_it() -> None:
    """The server asks for `auth`; an answer with `auth-int` was not on offer."""
    async with guarded() as house:
        alice = await guest(house, "alice")
        request = alice.request("MESSAGE", body="hello")
        response = await challenged(alice, request)
        again = answering(alice, request, response)
        parts = parts_of(str(again.headers.text("Proxy-Authorization")))
        parts["qop"] = "auth-int"
        first = hashed("SHA-256", f"alice:{DOMAIN}:{PASSWORD}")
        second = hashed("SHA-256", f"MESSAGE:{request.uri_text}:{hashlib.sha256(b'hello').hexdigest()}")
        nonce = parts["nonce"].strip('"')
        parts["response"] = f'"{hashed("SHA-256", f"{first}:{nonce}:00000001:c0ffee:auth-int:{second}")}"'
        again.headers.set("Proxy-Authorization", rendered(parts))
        alice.send(again)
        await alice.hears("407 MESSAGE")


def test_the_house_knows_a_right_answer() -> None:
    """The example of RFC 7616 §3.9.1, by this file's own hash."""
    first = hashed("SHA-256", "Mufasa:http-auth@example.org:Circle of Life")
    second = hashed("SHA-256", "GET:/dir/index.html")
    nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert hashed("SHA-256", f"{first}:{nonce}:00000001:{cnonce}:auth:{second}") == (
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    )
