"""Connection reuse (RFC 5923): a server that proves who it is gets requests over the connection it made, and nobody else does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.address import Endpoint, Flow, Target
from ringback.transport.tls import CertificateFiles, Contexts
from tests.transport.party import Party, eventually, options, party
from tests.transport.tls.authority import Authority

pytestmark = pytest.mark.asyncio


def request(via: str = "127.0.0.1:5099;alias", transport: str = "TLS") -> bytes:
    """A request whose Via says this."""
    sent_by, _, params = via.partition(";")
    return options().replace(b"SIP/2.0/TCP 127.0.0.1;branch", f"SIP/2.0/{transport} {sent_by};{params};branch".encode())


@contextlib.asynccontextmanager
async def two(authority: Authority, *client: CertificateFiles, demanded: str = "optional") -> AsyncIterator[tuple[Party, Party, Endpoint]]:
    """One who connects, with these certificates, and pbx.example, who looks at them and wants some "optional", or "none"."""
    serving = Contexts([authority.issue("DNS:pbx.example")], trust=authority.file, client_certificates=demanded)  # type: ignore[arg-type]
    async with party("TLS", tls=Contexts(client, trust=authority.file)) as (caller, _), party("TLS", tls=serving) as (server, [endpoint]):
        yield caller, server, endpoint


async def say(caller: Party, server: Party, endpoint: Endpoint, text: bytes) -> Flow:
    """Sends a request; gives the flow it went by, as the caller has it."""
    flow = caller.transports.flow_to(Target("TLS", "127.0.0.1", endpoint.port, domain="pbx.example"))
    assert flow is not None
    before = len(server.messages)
    caller.transports.send(text, flow)
    await server.messages_to_be(before + 1)
    return flow


def way(server: Party, domain: str, port: int = 5099) -> Flow | None:
    return server.transports.flow_to(Target("TLS", "127.0.0.1", port, domain=domain))


async def test_requests_go_back_over_the_connection_of_who_asks_for_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with two(authority, authority.issue("DNS:one.example", "DNS:two.example")) as (caller, server, endpoint):
        flow = await say(caller, server, endpoint, request())
        for domain in ("one.example", "two.example"):
            assert way(server, domain) is server.flows[0]
        back = way(server, "one.example")
        assert back is not None
        server.transports.send(options("back"), back)
        await caller.messages_to_be(1)
        assert caller.flows == [flow]
        # No other domain, no other port, no other host is meant by that.
        assert way(server, "three.example") is not server.flows[0]
        assert way(server, "one.example", 5061) is not server.flows[0]


async def test_without_a_port_the_default_one_is_meant(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with two(authority, authority.issue("DNS:one.example")) as (caller, server, endpoint):
        await say(caller, server, endpoint, request("one.example;alias"))
        assert way(server, "one.example", 5061) is server.flows[0]


@pytest.mark.parametrize(
    ("certificate", "demanded", "via"),
    [
        (["DNS:one.example"], "optional", "127.0.0.1:5099;x=y"),
        (["DNS:other.example"], "optional", "127.0.0.1:5099;alias"),
        (["URI:sip:alice@one.example"], "optional", "127.0.0.1:5099;alias"),
        ([], "optional", "127.0.0.1:5099;alias"),
        (["DNS:one.example"], "none", "127.0.0.1:5099;alias"),
    ],
)
async def test_who_does_not_ask_or_does_not_prove_it_is_connected_to(
    tmp_path: Path, certificate: list[str], demanded: str, via: str
) -> None:
    authority = Authority(tmp_path)
    files = [authority.issue(*certificate)] if certificate else []
    async with two(authority, *files, demanded=demanded) as (caller, server, endpoint):
        await say(caller, server, endpoint, request(via))
        assert way(server, "one.example") is not server.flows[0]


async def test_who_asks_in_vain_is_reached_at_its_port(tmp_path: Path) -> None:
    """RFC 5923 §8.1: nobody may count on it, so it listens on."""
    authority = Authority(tmp_path)
    async with two(authority, authority.issue("DNS:one.example"), demanded="none") as (caller, server, endpoint):
        flow = await say(caller, server, endpoint, request())
        other = server.transports.flow_to(Target("TLS", "127.0.0.1", flow.endpoint.port, domain="one.example"))
        assert other is not None
        server.transports.send(options("anew"), other)
        await caller.messages_to_be(1)
        assert caller.flows[0] is not flow
        assert caller.octets == [options("anew")]


async def test_over_tcp_nobody_is_believed(tmp_path: Path) -> None:
    async with party("TCP") as (caller, _), party("TCP") as (server, [endpoint]):
        flow = caller.transports.flow_to(Target("TCP", "127.0.0.1", endpoint.port))
        assert flow is not None
        caller.transports.send(request(transport="TCP"), flow)
        await server.messages_to_be(1)
        assert server.transports.flow_to(Target("TCP", "127.0.0.1", 5099)) is not server.flows[0]


async def test_a_later_request_may_ask_for_it_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with two(authority, authority.issue("DNS:one.example")) as (caller, server, endpoint):
        await say(caller, server, endpoint, request("127.0.0.1:5099;x=y"))
        await say(caller, server, endpoint, request())
        assert way(server, "one.example") is server.flows[0]


async def test_once_that_connection_is_gone_another_one_is_opened(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with two(authority, authority.issue("DNS:one.example")) as (caller, server, endpoint):
        await say(caller, server, endpoint, request())
        await caller.transports.close()
        await eventually(lambda: not server.transports.is_open(server.flows[0]))
        other = way(server, "one.example")
        assert other is not None
        assert other != server.flows[0]


async def test_an_alias_takes_nothing_from_the_connection_that_is_there(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with two(authority, authority.issue("DNS:one.example")) as (caller, server, endpoint):
        before = way(server, "one.example")
        await say(caller, server, endpoint, request())
        assert way(server, "one.example") is before


async def test_a_server_of_several_domains_is_connected_to_once(tmp_path: Path) -> None:
    """RFC 5923 §8.1: the client, too, keeps all that the server has proven to be."""
    authority = Authority(tmp_path)
    serving = Contexts([authority.issue("DNS:pbx.example", "DNS:also.example")])
    async with party("TLS", tls=Contexts(trust=authority.file)) as (caller, _), party("TLS", tls=serving) as (server, [endpoint]):
        flow = await say(caller, server, endpoint, options())
        assert caller.transports.flow_to(Target("TLS", "127.0.0.1", endpoint.port, domain="also.example")) is flow
        assert caller.transports.flow_to(Target("TLS", "127.0.0.1", endpoint.port, domain="third.example")) is not flow


async def test_who_has_a_certificate_asks_for_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with party("TLS", tls=Contexts([authority.issue("DNS:one.example")])) as (_, [endpoint]):
        assert endpoint.via == f"SIP/2.0/TLS 127.0.0.1:{endpoint.port};alias;branch="
    async with party("TLS", "TCP") as (_, [endpoint, plain]):
        assert ";alias" not in endpoint.via + plain.via
