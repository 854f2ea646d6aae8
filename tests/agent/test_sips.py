"""User agents over TLS on the simulated network: what begins as sips stays secured, whatever the peer says (RFC 3261 §12.1, §26.2.2)."""

from __future__ import annotations

import asyncio
import functools

import pytest

from ringback import CallFailed, IncomingCall, UserAgent
from ringback.message.derive import response_to
from ringback.testing import Network
from tests.server.party import Party, simulated

ALICE, BOB = "192.0.2.1", "192.0.2.2"


def agent(network: Network, name: str, host: str, *listen: str, **more: object) -> UserAgent:
    points = listen or (f"udp://{host}:5060", f"tls://{host}:5061")
    return UserAgent(f"sips:{name}@{host}", listen=points, open_transports=functools.partial(network.host, host), **more)  # type: ignore[arg-type]


@simulated
async def test_a_sips_call_is_tls_throughout_and_its_contacts_are_sips() -> None:
    network, contacts = Network(), []

    async def answer(call: IncomingCall) -> None:
        contacts.append(call.request.headers.text("Contact"))
        await call.answer()
        await call.ended()

    async with agent(network, "bob", BOB, on_call=answer), agent(network, "alice", ALICE) as alice:
        async with alice.call(f"sips:bob@{BOB}"):
            await asyncio.sleep(1)
        await asyncio.sleep(1)
    [contact] = contacts
    assert contact.startswith(f"<sips:alice@{ALICE}:5061>")
    assert {passed.transport for passed in network.log} == {"TLS"}
    [ok] = [passed.octets for passed in network.log if passed.octets.startswith(b"SIP/2.0 200") and b"CSeq: 1 INVITE" in passed.octets]
    assert f"Contact: <sips:bob@{BOB}:5061>".encode() in ok


@pytest.mark.parametrize("contact", [f"sip:bob@{BOB}:5060", f"sip:bob@{BOB}:5060;transport=udp", f"sip:bob@{BOB}:5061;transport=tcp"])
def test_a_contact_in_the_clear_does_not_bring_the_dialog_there(contact: str) -> None:
    @simulated
    async def scene() -> None:
        network = Network()
        bob = await Party(network, "bob", BOB, 5061, transport="TLS").open()
        listener = await bob.transports.open("UDP", BOB, 5060)
        await bob.transports.open("TCP", BOB, 5062)
        async with agent(network, "alice", ALICE) as alice:
            call = alice.call(f"sips:bob@{BOB}", offers=False)
            placing = asyncio.ensure_future(_placed(call))
            invite = await bob.hears("INVITE")
            response = response_to(invite, 200, tag="bob")
            response.headers.append("Contact", f"<{contact}>")
            bob.transports.send(response.to_bytes(), bob.heard[-1].flow)
            await asyncio.sleep(5)
            placing.cancel()
            await asyncio.gather(placing, return_exceptions=True)
        await asyncio.sleep(40)
        # At the port of the Contact nobody speaks TLS: then the ACK comes to nobody, rather than to everybody on the way.
        assert [heard.message.method for heard in bob.heard[1:]] == ([] if ":5060" in contact else ["ACK", "BYE"])
        assert all(heard.flow.endpoint is not listener for heard in bob.heard)
        assert {passed.transport for passed in network.log} == {"TLS"}
        await bob.transports.close()

    scene()


async def _placed(call: object) -> None:
    async with call:  # type: ignore[attr-defined]  # an OutgoingCall
        await asyncio.sleep(60)


@simulated
async def test_without_tls_of_its_own_an_agent_calls_nobody_as_sips() -> None:
    network = Network()
    bob = await Party(network, "bob", BOB, 5061, transport="TLS").open()
    async with agent(network, "alice", ALICE, f"udp://{ALICE}:5060") as alice:
        with pytest.raises(CallFailed, match="no way leads to"):
            async with alice.call(f"sips:bob@{BOB}"):
                pass
    assert network.log == []
    await bob.transports.close()


@simulated
async def test_a_server_that_is_not_the_one_called_hears_nothing() -> None:
    network = Network()
    network.certificates[BOB] = ["other.example"]
    bob = await Party(network, "bob", BOB, 5061, transport="TLS").open()
    async with agent(network, "alice", ALICE) as alice:
        with pytest.raises(CallFailed, match=r"shows a certificate for other\.example, not for 192\.0\.2\.2"):
            async with alice.call(f"sips:bob@{BOB}"):
                pass
    assert bob.heard == []
    await bob.transports.close()


def test_who_asks_for_tls_has_it_without_saying_where() -> None:
    async def listening(aor: str, **more: object) -> set[str]:
        async with UserAgent(aor, **more) as one:  # type: ignore[arg-type]
            return {endpoint.transport for endpoint in one.endpoints}

    assert asyncio.run(listening("sip:alice@example.org")) == {"UDP", "TCP"}
    assert asyncio.run(listening("sips:alice@example.org")) == {"UDP", "TCP", "TLS"}
    assert asyncio.run(listening("sip:alice@example.org;transport=tls")) == {"UDP", "TCP", "TLS"}
    assert asyncio.run(listening("sip:alice@example.org", proxy="sips:192.0.2.1")) == {"UDP", "TCP", "TLS"}
    assert asyncio.run(listening("sips:alice@example.org", listen=["udp://127.0.0.1:0"])) == {"UDP", "TCP"}
