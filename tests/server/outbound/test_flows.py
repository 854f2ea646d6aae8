"""Flows as names and tokens: found again while they last, by nobody who was not given them (RFC 5626 §5.2, §5.3)."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.address import Endpoint, Flow
from ringback.message.uri import SipUri, parse_uri
from ringback.server.outbound.flows import Flows, ForgedToken
from tests.server.party import SERVER, House, simulated

UDP = Endpoint("UDP", "192.0.2.1", 5060)
SIX = Endpoint("UDP", "2001:db8::1", 5060)
LINK = Endpoint("UDP", "fe80::1", 5060)
TCP = Endpoint("TCP", "192.0.2.1", 5060)
WSS = Endpoint("WSS", "2001:db8::1", 443)

CONNECTION = Flow(TCP, ("203.0.113.7", 40_001), 7)
SOCKET = Flow(WSS, ("2001:db8::7", 40_001, 0, 0), 1)
NAMES = {
    "udp-192.0.2.1-5060-203.0.113.7-40001": Flow(UDP, ("203.0.113.7", 40_001)),
    "udp-2001_db8__1-5060-2001_db8__7-1": Flow(SIX, ("2001:db8::7", 1, 0, 0)),
    "tcp-7-run1": CONNECTION,
    "wss-1-run1": SOCKET,
}


def made(
    key: bytes = b"k" * 32,
    mark: str = "run1",
    open_: Sequence[Flow] = (CONNECTION, SOCKET),
    endpoints: Sequence[Endpoint] = (UDP, SIX, TCP),
) -> Flows:
    flows = Flows(key, mark)
    connections = {(flow.endpoint.transport, flow.connection): flow for flow in open_}
    flows.serve([*endpoints, LINK, WSS], lambda transport, number: connections.get((transport, number)))
    return flows


@pytest.mark.parametrize("name", NAMES)
def test_a_flow_has_a_name_and_is_found_by_it_and_by_its_token(name: str) -> None:
    flows, flow = made(), NAMES[name]
    assert flows.name(flow) == name
    assert flows.named(name) == flow
    assert flows.find(flows.token(flow)) == flow


@pytest.mark.parametrize("name", NAMES)
def test_a_token_can_be_the_user_or_a_parameter_of_a_uri(name: str) -> None:
    token = made().token(NAMES[name])
    uri = parse_uri(f"sip:{token}@192.0.2.1;lr;flow={token}")
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.user_text, uri.params["flow"]) == (token, token, token)


def test_a_link_local_peer_is_on_its_interface() -> None:
    flows = made()
    name = flows.name(Flow(LINK, ("fe80::7%lo", 5060, 0, 1)))
    assert name == "udp-fe80__1-5060-fe80__7-5060-1"
    found = flows.named(name)
    assert found is not None and found.remote[1:] == (5060, 0, 1)


def test_datagrams_find_their_way_after_a_restart_and_connections_do_not() -> None:
    before, after = made(), made(mark="run2")
    assert after.find(before.token(NAMES["udp-192.0.2.1-5060-203.0.113.7-40001"])) is not None
    assert after.find(before.token(CONNECTION)) is None


def test_a_flow_is_gone_with_its_connection_and_with_its_endpoint() -> None:
    flows = made()
    assert made(open_=[SOCKET]).find(flows.token(CONNECTION)) is None
    assert made(endpoints=[SIX]).find(flows.token(NAMES["udp-192.0.2.1-5060-203.0.113.7-40001"])) is None


@pytest.mark.parametrize("name", NAMES)
def test_nobody_else_makes_a_token(name: str) -> None:
    flows = made()
    token = flows.token(NAMES[name])
    other = made(key=b"x" * 32).token(NAMES[name])
    changed = token.replace("7", "8") if "7" in token[20:] else f"{token}0"
    for forged in ("", token[:20], token[:-1], token[20:], other, changed, f"{token}-1", "é" + token[1:], "\udcff" * 20 + name):
        with pytest.raises(ForgedToken):
            flows.find(forged)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "udp",
        "udp--",
        "tcp-7-run2",
        "tcp-seven-run1",
        "tcp-٧-run1",
        "tcp-99999999999999999999-run1",
        "sctp-7-run1",
        "udp-192.0.2.1-5060",
        "udp-192.0.2.1-5060-203.0.113.7-0",
        "udp-192.0.2.1-5060-203.0.113.7-65536",
        "udp-192.0.2.1-5060-host.example-5060",
        "udp-192.0.2.1-5060-203.0.113.7-5060-x",
        "udp-192.0.2.1-5060-203.0.113.7-5060-1-1",
        "udp-192.0.2.9-5060-203.0.113.7-5060",
    ],
)
def test_what_names_no_flow_finds_none(name: str) -> None:
    assert made().named(name) is None


@simulated
async def test_a_connections_name_lasts_as_long_as_the_connection() -> None:
    async with House(waits=False) as house:
        alice = await house.party("alice")
        alice.ask("OPTIONS", f"sip:{SERVER}", transport="TCP")
        await alice.hears("200 OPTIONS")
        flows, transports = house.server.flows, house.server.transports
        flow = transports.connected("TCP", 1)
        assert flow is not None and flow.host == alice.host
        assert flows.find(token := flows.token(flow)) == flow
        await alice.transports.close()
        await asyncio.sleep(1)
        assert flows.find(token) is None
        assert transports.connected("UDP", 1) is None


@given(st.text(max_size=60), st.sampled_from(["", "udp-", "tcp-", "udp-192.0.2.1-5060-"]))
def test_no_text_does_harm(text: str, beginning: str) -> None:
    flows = made()
    named = flows.named(beginning + text)
    assert named is None or flows.named(flows.name(named)) == named
    with pytest.raises(ForgedToken):
        flows.find(beginning + text)
