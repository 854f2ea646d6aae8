"""What Prometheus reads: counters that are right, labels that stay few, an HTTP server that is small and does not hang."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from ringback.server.config import Config, ConfigError, MetricsConfig
from ringback.server.operation.metrics import page
from ringback.server.operation.metrics.collector import ServerCollector
from ringback.server.operation.metrics.page import MOST_CONNECTIONS, MOST_OCTETS, MetricsPage
from ringback.server.server import Server
from ringback.transport.tls import Contexts
from tests.server.party import DOMAIN, House, simulated
from tests.transport.tls.authority import Authority


def read(house: House) -> dict[str, float]:
    """`name{label}` → value, of every metric of a server."""
    registry = CollectorRegistry()
    registry.register(ServerCollector(house.server))
    found = {}
    for family in registry.collect():
        for sample in family.samples:
            label = "".join(f"{{{value}}}" for value in sample.labels.values())
            found[sample.name + label] = sample.value
    return found


@simulated
async def test_a_call_is_counted_once_however_often_its_messages_come() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1)
        before = read(house)
        assert (before["sip_requests_total{INVITE}"], before["sip_registrations"], before["sip_registered_users"]) == (0, 1, 1)
        invite = alice.ask("INVITE")
        alice.send(invite)
        alice.send(invite)
        await asyncio.sleep(0.1)
        during = read(house)
        assert (during["sip_requests_total{INVITE}"], during["sip_repeated_requests_total"], during["sip_under_way"]) == (1, 2, 1)
        assert (during["sip_transactions{server}"], during["sip_transactions{client}"]) == (1, 1)
        alice.kinds()
        bob.reply(await bob.hears("INVITE"), 486)
        await bob.hears("ACK")
        alice.ack(invite, await alice.hears("486 INVITE"))
        await asyncio.sleep(1)
        after = read(house)
        assert (after["sip_requests_total{ACK}"], after["sip_responses_total{486}"], after["sip_under_way"]) == (1, 1, 0)
        assert after["sip_responses_total{100}"] == 1


@simulated
async def test_what_was_refused_malformed_or_astray() -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.ask("MESSAGE", f"sip:nobody@{DOMAIN}")
        await alice.hears("404 MESSAGE")
        alice.send(str(alice.request("OPTIONS", f"sip:{DOMAIN}")).replace("CSeq: 1", "CSeq: x"))
        alice.send("no message at all\r\n\r\n")
        alice.send("SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\n"
                   "Call-ID: 1\nCSeq: 1 INVITE\n\n")  # fmt: skip
        await asyncio.sleep(1)
        found = read(house)
        assert (found["sip_refused_total"], found["sip_malformed_total"], found["sip_stray_responses_total"]) == (1, 2, 1)
        assert (found["sip_responses_total{404}"], found["sip_responses_total{400}"]) == (1, 1)


@simulated
async def test_methods_that_nobody_knows_are_one_label() -> None:
    async with House(waits=False) as house:
        alice = await house.party("alice")
        for number in range(200):
            alice.ask(f"STRANGE{number}", f"sip:nobody@{DOMAIN}")
        await asyncio.sleep(1)
        found = read(house)
        assert found["sip_requests_total{other}"] == 200
        assert sum(name.startswith("sip_requests_total") for name in found) == 15


@simulated
async def test_connections_are_counted_by_transport() -> None:
    async with House(waits=False) as house:
        alice = await house.party("alice")
        house.server.transports.counts.by_transport |= {"TCP": 2, "TLS": 1}
        assert alice
        found = read(house)
        assert (found["sip_connections{TCP}"], found["sip_connections{TLS}"]) == (2, 1)
        assert house.server.transports.counts.connections == 3


@simulated
async def test_an_expiry_of_each_certificate_is_there_to_be_watched(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = [authority.issue("DNS:one.example", file="one", days=2), authority.issue("DNS:two.example", file="two")]
    async with House(waits=False) as house:
        house.server.tls = Contexts(files)
        house.server.tls.load()
        house.server.transports.counts.failed_handshakes = 3
        found = read(house)
        days = (found[f"sip_certificate_expiry_seconds{{{tmp_path}/one.pem}}"] - time.time()) / 86_400
        assert 1.9 < days < 2.1
        assert f"sip_certificate_expiry_seconds{{{tmp_path}/two.pem}}" in found
        assert found["sip_failed_handshakes_total"] == 3


# Over HTTP.


async def served(story: Any) -> None:
    """Runs a story with a page's port."""
    server = Server(Config(auth="none", listen=["udp://127.0.0.1:0"]), report=lambda _: None)
    await server.start()
    metrics = MetricsPage(server)
    await metrics.open("127.0.0.1:0")
    try:
        await story(server, int(metrics.place.rpartition(":")[2]))
    finally:
        await metrics.close()
        await server.close()


async def ask(port: int, octets: bytes) -> tuple[str, str]:
    """Head and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    async with asyncio.timeout(20):
        answered = (await reader.read()).decode()
    writer.close()
    head, _, body = answered.partition("\r\n\r\n")
    return head, body


def get(path: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def test_prometheus_reads_it() -> None:
    async def story(_: Server, port: int) -> None:
        head, body = await ask(port, get("/metrics?x=y"))
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert f"Content-Length: {len(body)}" in head
        assert "Connection: close" in head
        names = {family.name for family in text_string_to_metric_families(body)}
        assert {"sip_requests", "sip_responses", "sip_registrations", "process_resident_memory_bytes"} <= names
        head, body = await ask(port, get("/metrics", "accept: application/openmetrics-text; version=1.0.0"))
        assert "application/openmetrics-text" in head
        assert body.endswith("# EOF\n")
        head, body = await ask(port, get("/metrics", method="HEAD"))
        assert body == ""
        assert int(head.partition("Content-Length: ")[2].partition("\r\n")[0]) > 1_000

    asyncio.run(served(story))


def test_a_load_balancer_sees_a_drain() -> None:
    async def story(server: Server, port: int) -> None:
        assert await ask(port, get("/health")) == (await ask(port, get("/health")))
        assert (await ask(port, get("/health")))[1] == "serving\n"
        server.leave.begin()
        head, body = await ask(port, get("/health"))
        assert (head.split("\r\n")[0], body) == ("HTTP/1.1 503 Service Unavailable", "draining\n")

    asyncio.run(served(story))


@pytest.mark.parametrize(
    ("octets", "status", "text"),
    [
        (get("/"), "404 Not Found", "there is /metrics and /health"),
        (get("/../etc/passwd"), "404 Not Found", "there is"),
        (get("/metrics", method="POST"), "405 Method Not Allowed", "GET or HEAD"),
        (b"OPTIONS sip:x SIP/2.0\r\n\r\n", "400 Bad Request", "no HTTP request"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", "400 Bad Request", "no HTTP request"),
        (get("/metrics", f"X: {'x' * MOST_OCTETS}"), "431 Request Header Fields Too Large", "too long"),
    ],
)
def test_what_is_no_request_of_prometheus_gets_a_clear_answer(octets: bytes, status: str, text: str) -> None:
    async def story(_: Server, port: int) -> None:
        head, body = await ask(port, octets)
        assert head.split("\r\n")[0] == f"HTTP/1.1 {status}"
        assert text in body
        assert ("Allow: GET, HEAD" in head) == ("405" in status)

    asyncio.run(served(story))


def test_who_says_nothing_is_answered_after_a_while_and_there_are_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PATIENCE", 0.2)

    async def story(_: Server, port: int) -> None:
        head, _body = await ask(port, b"GET /metrics HTTP/1.1\r\n")
        assert head.startswith("HTTP/1.1 408 ")
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
        with pytest.raises((ConnectionError, AssertionError)):
            assert await ask(port, get("/health")) != ("", "")
        for _, writer in held:
            writer.close()

    asyncio.run(served(story))


def test_a_port_that_is_taken_is_named() -> None:
    async def story(server: Server, port: int) -> None:
        with pytest.raises(OSError, match="cannot listen there for HTTP") as caught:
            await MetricsPage(server).open(f"127.0.0.1:{port}")
        assert caught.value.filename == f"127.0.0.1:{port}"

    asyncio.run(served(story))


@pytest.mark.parametrize(("text", "place"), [("127.0.0.1:9090", "127.0.0.1:9090"), ("[0::1]:0", "[::1]:0"), ("localhost:1", "127.0.0.1:1")])
def test_where_it_listens(text: str, place: str) -> None:
    assert MetricsConfig(listen=text).listen == place


@pytest.mark.parametrize(
    "text", ["9090", "127.0.0.1", "http://127.0.0.1:9090", "::1:9090", "example.org:9090", "127.0.0.1:99999", "", "127.0.0.1:"]
)
def test_what_is_no_such_place(text: str) -> None:
    with pytest.raises(ConfigError, match="allowed is such as") as caught:
        MetricsConfig(listen=text)
    assert caught.value.key == "metrics.listen"
