"""Which role receives which request, what the server says of itself, how it starts and ends (RFC 3261 §8.2, §11.2, §16.2)."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from ringback.message.parser import Malformed
from ringback.server.config import Config, DrainConfig, LimitsConfig
from ringback.server.operator_file import OperatorFileError
from ringback.server.server import Server
from ringback.testing import Network, run
from tests.server.party import DOMAIN, SERVER, House, simulated

OURSELVES = [f"sip:{DOMAIN}", f"sip:{SERVER}", f"sip:{SERVER}:5060", "sip:EXAMPLE.COM:5080"]


@pytest.mark.parametrize("uri", OURSELVES)
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@simulated
async def test_options_to_the_server_itself(uri: str, transport: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        sent = alice.ask("OPTIONS", uri, transport=transport, extra="X-Unknown: ignored\nDate: malformed")
        got = await alice.hears("200 OPTIONS")
        for name in ("Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported"):
            assert name in got.headers
        assert {"OPTIONS", "REGISTER"} <= set(got.headers.texts("Allow"))
        for name in ("Via", "From", "Call-ID", "CSeq"):
            assert got.headers.texts(name) == sent.headers.texts(name)
        assert (str(got.to.uri), bool(got.to_tag)) == (str(sent.to.uri), True)


@simulated
async def test_options_with_a_to_tag_keeps_it() -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.ask("OPTIONS", f"sip:{SERVER}", to="<sip:x@y>;tag=mine")
        assert (await alice.hears("200 OPTIONS")).headers.text("To") == "<sip:x@y>;tag=mine"


@pytest.mark.parametrize("to", ["<tel:+1-201-555-0123>", "<mailto:x@y>", "<sip:nobody@nowhere.example>", '"Odd \\" name" <urn:x:y>'])
@simulated
async def test_whatever_to_says_the_request_uri_decides(to: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.ask("OPTIONS", f"sip:{SERVER}", to=to)
        assert (await alice.hears("200 OPTIONS")).headers.text("To").startswith(to + ";tag=")


@simulated
async def test_options_to_a_user_goes_to_the_user() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("OPTIONS")
        bob.reply(await bob.hears("OPTIONS"), 486)
        await alice.hears("486 OPTIONS")


@pytest.mark.parametrize(
    ("method", "status"),
    [
        *((known, 405) for known in ("INVITE", "BYE", "PRACK", "UPDATE", "INFO", "MESSAGE", "REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH")),
        ("FOO", 501),
    ],
)
@simulated
async def test_a_method_the_server_itself_does_not_take_is_405_or_501_with_allow(method: str, status: int) -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.ask(method, f"sip:{DOMAIN}")
        assert (await alice.hears(f"{status} {method}")).headers.texts("Allow") == ["OPTIONS", "REGISTER"]


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER"])
@simulated
async def test_an_extension_the_server_is_required_to_know_is_420(method: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.ask(method, f"sip:{DOMAIN}", to="<sip:alice@example.com>", extra="Require: gruu, 100rel\nRequire: x")
        assert (await alice.hears(f"420 {method}")).headers.texts("Unsupported") == ["100rel", "x"]


@simulated
async def test_require_of_a_request_that_is_forwarded_is_the_callees_affair() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("MESSAGE", extra="Require: x")
        assert (await bob.hears("MESSAGE")).require == ["x"]


@simulated
async def test_a_phone_registers_is_called_and_leaves() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        for expires, contacts in ((60, 1), (0, 0)):
            bob.ask(
                "REGISTER",
                f"sip:{DOMAIN}",
                to="<sip:bob@example.com>",
                contact=f"<{bob.uri}>;expires={expires}",
                call_id="r",
                cseq=61 - expires,
            )
            assert len((await bob.hears("200 REGISTER")).contacts) == contacts
            if contacts:
                await house.call(alice, bob)
        alice.ask("MESSAGE")
        await alice.hears("404 MESSAGE")


@simulated
async def test_a_binding_that_expired_is_not_called() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        bob.ask("REGISTER", f"sip:{DOMAIN}", to="<sip:bob@example.com>", contact=f"<{bob.uri}>;expires=60")
        await bob.hears("200 REGISTER")
        await asyncio.sleep(61)
        alice.ask("MESSAGE")
        await alice.hears("404 MESSAGE")
        await bob.hears_nothing()


@simulated
async def test_a_register_for_another_domain_is_not_for_our_registrar() -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.ask("REGISTER", "sip:other.example", to="<sip:alice@example.com>", contact=f"<{alice.uri}>")
        await alice.hears("403 REGISTER")


@simulated
async def test_only_an_invite_is_told_trying() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask(extra="Timestamp: 54.5")
        trying = await alice.hears("100 INVITE")
        assert (trying.headers.text("Timestamp"), trying.to_tag) == ("54.5", None)
        await bob.hears("INVITE")
        alice.ask("MESSAGE")
        await bob.hears("MESSAGE")
        await alice.hears_nothing()


# Draining and closing


@simulated
async def test_a_draining_server_refuses_what_is_new_and_lets_the_rest_end() -> None:
    async with House(waits=False) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob)
        ringing = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        drained = asyncio.create_task(house.server.drain())
        await asyncio.sleep(0.01)
        for method, uri in (
            ("INVITE", "sip:bob@example.com"),
            ("OPTIONS", f"sip:{SERVER}"),
            ("REGISTER", f"sip:{DOMAIN}"),
            ("MESSAGE", "sip:x@y"),
        ):
            alice.ask(method, uri)
            assert 5 <= int((await alice.hears(f"503 {method}")).headers.text("Retry-After")) <= 10
        alice.within("BYE", dialog)
        bob.reply(await bob.hears("BYE"), 200)
        await alice.hears("200 BYE")
        assert not drained.done()
        bob.reply(invite, 486)
        alice.ack(ringing, await alice.hears("486 INVITE"))
        await drained
        assert asyncio.get_running_loop().time() < 1


@simulated
async def test_draining_ends_in_time_whoever_still_rings() -> None:
    async with House(waits=False, drain=DrainConfig(seconds=7)) as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        alice.ask()
        await alice.hears("100 INVITE")
        before = asyncio.get_running_loop().time()
        await house.server.drain()
        assert asyncio.get_running_loop().time() - before == pytest.approx(7, abs=0.1)


@simulated
async def test_a_closed_server_hears_nothing_and_waits_for_no_route() -> None:
    house = House(Network(), waits=False)
    async with house:

        async def never(request: object) -> None:
            await asyncio.Event().wait()

        house.server.core.determination.route = never  # type: ignore[assignment]
        alice = await house.party("alice")
        alice.ask()
        await alice.hears("100 INVITE")
        house.parties.clear()
    alice.ask("OPTIONS", f"sip:{SERVER}")
    await alice.hears_nothing(1)
    assert not house.server.core.determination._waiting
    await alice.transports.close()


# What is no message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE"), "CSeq"),
        ((b"CSeq: 1 OPTIONS", b"CSeq: x OPTIONS"), "CSeq"),
        ((b"Call-ID", b"Call-JD"), "Call-ID"),
        ((b"From: ", b"From: a\r\nFrom: "), "From"),
        ((b"Content-Length: 0", b"Content-Length: 5"), "Content-Length"),
        ((b"Content-Length: 0", b"Content-Length: -1"), "Content-Length"),
        ((b"Max-Forwards", b"Max Forwards"), ""),
        ((b"sip:192.0.2.100 ", b"<sip:192.0.2.100> "), "Request-URI"),
        ((b"To: ", b"To: \r\r"), ""),
    ],
)
@simulated
async def test_a_malformed_request_is_400_with_a_reason_that_names_the_fault(change: tuple[bytes, bytes], says: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        octets = alice.request("OPTIONS", f"sip:{SERVER}").to_bytes()
        assert change[0] in octets
        alice.send(octets.replace(*change))
        await asyncio.sleep(0.1)
        [sent] = house.sent
        start = sent.octets.split(b"\r\n")[0].decode()
        assert start.startswith("SIP/2.0 400 ")
        assert says in start
        assert house.server.counts.malformed == 1


@pytest.mark.parametrize(
    "octets",
    [
        b"ACK sip:x@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\n\r\n",
        b"ACK nonsense\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\n\r\n",
        b"SIP/2.0 999 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\n\r\n",
        b"SIP/2.0 \r\n\r\n",
        b"OPTIONS sip:x@example.com SIP/2.0\r\nFrom: <sip:a@b>\r\n\r\n",
        b"OPTIONS sip:x@example.com SIP/2.0\r\nVia: nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 100,
        b"x",
    ],
)
@simulated
async def test_acks_responses_and_what_has_no_way_back_are_not_answered(octets: bytes) -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.send(octets)
        await alice.hears_nothing(1)
        assert house.sent == []


@simulated
async def test_too_long_a_request_uri_is_414_and_too_large_a_message_513() -> None:
    async with House(limits=LimitsConfig(message_bytes=2000)) as house:
        alice = await house.party("alice")
        long = alice.request("OPTIONS", "sip:x@example.com")
        long.uri_text = "sip:" + "x" * 1100 + "@example.com"
        alice.send(long)
        await alice.hears("414 OPTIONS")
        alice.ask("OPTIONS", body="x" * 2000)
        await alice.hears("513 OPTIONS")


@simulated
async def test_the_transactions_limit_sheds_new_requests() -> None:
    async with House(limits=LimitsConfig(transactions=4)) as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        for _ in range(3):
            alice.ask("MESSAGE")
        await asyncio.sleep(0.1)
        assert alice.kinds() == ["503 MESSAGE"]


# Starting


def test_an_address_that_is_taken_is_named_and_nothing_stays_open() -> None:
    async def twice() -> None:
        async with House(waits=False) as house:
            other = Server(Config(auth="none", listen=[f"udp://{SERVER}:5060"]), open_transports=lambda *_, **__: house.server.transports)
            with pytest.raises(OSError, match="5060"):
                await other.start()

    run(twice())


def test_a_routing_file_that_fails_stops_the_start(tmp_path: Path) -> None:
    async def start() -> None:
        server = Server(Config(auth="none", routing=tmp_path / "none.py", data=tmp_path))
        with pytest.raises(OperatorFileError, match=r"none\.py"):
            await server.start()

    run(start())


@simulated
async def test_every_message_is_shown_to_the_observer() -> None:
    seen: list[tuple[str, bytes, str | None]] = []

    def observer(direction: str, octets: bytes, flow: object, malformed: Malformed | None) -> None:
        seen.append((direction, octets[:10], malformed.reason if malformed else None))

    house = House(waits=False)
    house.server._observer = observer
    async with house:
        alice = await house.party("alice")
        alice.ask("OPTIONS", f"sip:{SERVER}")
        await alice.hears("200 OPTIONS")
        alice.send(b"nonsense\r\n\r\n")
        await asyncio.sleep(0.1)
    assert [(direction, octets) for direction, octets, _ in seen] == [
        ("in", b"OPTIONS si"),
        ("out", b"SIP/2.0 20"),
        ("in", b"nonsense\r\n"),
    ]
    assert [reason for _, _, reason in seen][:2] == [None, None] and seen[2][2]


@simulated
async def test_a_udp_port_brings_the_same_port_for_tcp() -> None:
    async with House(waits=False) as house:
        endpoints = house.server.transports.endpoints
        assert {(e.transport, e.host, e.port) for e in endpoints} == {("UDP", SERVER, 5060), ("TCP", SERVER, 5060)}
        alice = await house.party("alice")
        for transport in ("UDP", "TCP"):
            alice.ask("OPTIONS", f"sip:{SERVER}", transport=transport)
            await alice.hears("200 OPTIONS")


@simulated
async def test_users_that_cannot_be_read_are_reported_once_and_stay_as_they_were(tmp_path: Path) -> None:
    async with House(auth="digest", data=tmp_path, domains=(), waits=False) as house:
        other = sqlite3.connect(tmp_path / "ringback.db", isolation_level=None)
        other.execute("INSERT INTO user (name, domain) VALUES ('alice', 'z.example'), ('bob', 'a.example')")
        other.execute("INSERT INTO meta VALUES ('users', 1)")
        await asyncio.sleep(1.5)
        assert (len(house.server.users), house.server.domains.names) == (2, ("z.example", "a.example"))
        other.execute("ALTER TABLE user RENAME TO people")
        other.execute("UPDATE meta SET value = 2 WHERE name = 'users'")
        await asyncio.sleep(5)
        assert [
            report for report in house.reports if "changes of users are not seen" in report and "no such table" in report
        ] == house.reports
        assert len(house.reports) == 1
        assert len(house.server.users) == 2
        other.execute("ALTER TABLE people RENAME TO user")
        other.execute("DELETE FROM user WHERE name = 'alice'")
        assert house.server.reload().fault is None
        assert house.server.domains.names == ("a.example",)
        other.close()
