"""The security log: who is noted and who is not, what it says, and that nobody can forge or flood it."""

import logging
import re
from typing import Any

import pytest

from ringback.address import Endpoint, Flow
from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.server.config import AccessConfig, NatConfig
from ringback.server.operation.logs import SECURITY
from ringback.server.operation.security import MOST_A_SECOND, MOST_OF_ONE_SOURCE, SecurityLog
from tests.server.party import DOMAIN, SERVER, House, Party, simulated
from tests.server.proving import challenged, guarded, guest, prove, register

# What fail2ban looks for, in its own words; its filter itself is asked in tests/interop.
_NOTED = re.compile(
    r'SecurityEvent="(?P<event>FailedACL|InvalidAccountID|InvalidPassword)"(?P<before>(?:,(?!RemoteAddress=)\w+="[^"]*")*)'
    r',RemoteAddress="IPV[46]/(?P<transport>[^/"]+)/(?P<host>[^/"]+)/(?P<port>\d+)"(?:,(?!RemoteAddress=)\w+="[^"]*")*'
)


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody reads the security log."""
    caplog.set_level(logging.INFO, SECURITY)


def noted(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Events and hosts noted since the last look."""
    found = [_NOTED.fullmatch(record.getMessage()) for record in caplog.records if record.name == SECURITY]
    caplog.clear()
    return [(one["event"], one["host"]) if one else ("unreadable", "") for one in found]


def asking(party: Party, **how: Any) -> Any:
    """A REGISTER of a party for itself."""
    aor = f"<sip:{party.name}@{DOMAIN}>"
    return party.request("REGISTER", f"sip:{DOMAIN}", **{"to": aor, "contact": f"<{party.uri}>", **how})


@simulated
async def test_a_wrong_password_and_an_unknown_user_are_noted_and_told_apart_here_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        await challenged(alice, asking(alice))
        assert noted(caplog) == [], "who has not been asked yet is no attacker"
        await prove(alice, asking(alice), password="wrong")
        first = await alice.hears("401 REGISTER")
        assert noted(caplog) == [("InvalidPassword", "192.0.2.1")]
        await prove(alice, asking(alice), user="nobody")
        second = await alice.hears("401 REGISTER")
        assert noted(caplog) == [("InvalidAccountID", "192.0.2.1")]
        assert first.reason == second.reason
        await register(alice)
        assert noted(caplog) == []


@simulated
async def test_a_call_with_a_wrong_password(caplog: pytest.LogCaptureFixture) -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        await prove(alice, alice.request("MESSAGE"), password="wrong")
        await alice.hears("407 MESSAGE")
        assert noted(caplog) == [("InvalidPassword", "192.0.2.1")]


@simulated
async def test_what_is_forbidden(caplog: pytest.LogCaptureFixture) -> None:
    async with guarded() as house:
        alice = await guest(house, "alice")
        house.server.users.add("bob", DOMAIN, "another password")
        await prove(alice, asking(alice, to=f"<sip:bob@{DOMAIN}>"))
        await alice.hears("403 REGISTER")
        alice.ask("MESSAGE", from_="<sip:eve@elsewhere.example>;tag=1")
        await alice.hears("403 MESSAGE")
        assert noted(caplog) == [("FailedACL", "192.0.2.1")] * 2


@simulated
async def test_a_way_to_others_that_is_denied(caplog: pytest.LogCaptureFixture) -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.ask("MESSAGE", "sip:0015551234567@192.0.2.77")
        await alice.hears("403 MESSAGE")
        assert noted(caplog) == [("FailedACL", "192.0.2.1")]


@simulated
async def test_a_phone_set_up_wrongly_is_no_attacker(caplog: pytest.LogCaptureFixture) -> None:
    async with House(nat=NatConfig(mode="off")) as house:
        alice = await house.party("alice")
        alice.send(asking(alice, contact="<sip:alice@192.0.2.250>"))
        await alice.hears("403 REGISTER")
        assert noted(caplog) == []


@simulated
async def test_a_stale_nonce_is_the_fault_of_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with guarded(access=AccessConfig(nonce_seconds=10)) as house:
        alice = await guest(house, "alice")
        again = await prove(alice, asking(alice))
        await alice.hears("200 REGISTER")
        alice.send(again.to_bytes().replace(b"z9hG4bKalice", b"z9hG4bKother"))
        await alice.hears("401 REGISTER")
        assert noted(caplog) == []


def message() -> Request:
    """A stranger's request."""
    via = "Via: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK1"
    head = ["REGISTER sip:example.com SIP/2.0", via, "From: <sip:eve@x>;tag=1", "To: <sip:eve@x>", "Call-ID: call-1", "CSeq: 1 REGISTER"]
    request = parse_datagram("\r\n".join([*head, "Content-Length: 0", "", ""]).encode())
    assert isinstance(request, Request)
    return request


def flow(host: str = "192.0.2.66", port: int = 5071, transport: str = "UDP") -> Flow:
    """Where a request came from."""
    return Flow(Endpoint(transport, SERVER if "." in host else "2001:db8::100", 5060), (host, port))


def test_every_field_of_a_line(caplog: pytest.LogCaptureFixture) -> None:
    request = message()
    SecurityLog(lambda: 1_700_000_000.1234).note("InvalidPassword", request, flow(), account="alice", reason="wrong")
    assert caplog.records[-1].getMessage() == (
        'SecurityEvent="InvalidPassword",EventTV="2023-11-14T22:13:20.123+00:00",Severity="Error",Service="SIP",EventVersion="1",'
        'AccountID="alice",SessionID="call-1",LocalAddress="IPV4/UDP/192.0.2.100/5060",RemoteAddress="IPV4/UDP/192.0.2.66/5071",'
        'Method="REGISTER",Reason="wrong"'
    )
    SecurityLog().note("FailedACL", request, flow("fe80::1%eth0", transport="WSS"))
    assert 'RemoteAddress="IPV6/WSS/fe80::1/5071"' in caplog.records[-1].getMessage()


@pytest.mark.parametrize(
    "account",
    [
        'eve",RemoteAddress="IPV4/UDP/192.0.2.1/5060",X="',
        'eve\n[2026-01-01 00:00:00] SECURITY[1] ringback: SecurityEvent="InvalidPassword",RemoteAddress="IPV4/UDP/192.0.2.1/5060"',
        "eve\u2028\x85\x0b\x00\x1b[2J\u202e\udcff",
        "e" * 64_000,
        '\\"',
    ],
)
def test_nobody_writes_lines_or_fields_of_others(caplog: pytest.LogCaptureFixture, account: str) -> None:
    SecurityLog().note("InvalidPassword", message(), flow(), account=account, reason=account)
    line = caplog.records[-1].getMessage()
    assert line.isprintable()
    assert len(line) < 8_000
    assert noted(caplog) == [("InvalidPassword", "192.0.2.66")]


def test_a_flood_of_one_source_leaves_room_for_the_others_and_all_together_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    now = 1_000.0
    log = SecurityLog(lambda: now)
    request = message()
    for _ in range(1_000):
        log.note("InvalidPassword", request, flow())
    log.note("InvalidPassword", request, flow("192.0.2.7"))
    assert [host for _, host in noted(caplog)] == ["192.0.2.66"] * MOST_OF_ONE_SOURCE + ["192.0.2.7"]
    for number in range(5_000):
        log.note("InvalidPassword", request, flow(f"198.51.{number >> 8}.{number & 255}"))
    assert len(noted(caplog)) == MOST_A_SECOND - MOST_OF_ONE_SOURCE - 1
    now += 1
    log.note("InvalidPassword", request, flow())
    assert noted(caplog) == [("InvalidPassword", "192.0.2.66")]


def test_where_nobody_reads_it_nothing_is_written(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, SECURITY)
    SecurityLog().note("InvalidPassword", message(), flow())
    assert noted(caplog) == []
