"""Kamailio as the proxy between phones and our registrar: it stands in the Path of their registrations (RFC 3327), and calls go by it."""

from collections.abc import Callable, Iterator

import pytest

from ringback import CallRejected
from tests.interop.kamailio import running_kamailio
from tests.interop.loopback import Calls, Loopback, on_loopback
from tests.interop.server import RunningServer
from tests.interop.wire import DOMAIN, Peer

Edge = tuple[RunningServer, tuple[str, int]]


@pytest.fixture(scope="module")
def edge(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Our server and where Kamailio is."""
    path = program("kamailio")
    folder = tmp_path_factory.mktemp("path")
    with RunningServer(folder) as server, running_kamailio(path, folder, "kamailio_path.cfg", next=server.port) as address:
        yield server, address


@pytest.mark.parametrize("instance", [None, "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"])
def test_a_phone_behind_another_proxy_is_called_by_way_of_it(edge: Edge, instance: str | None) -> None:
    """It marks no flow, so who asks for outbound hears 439, and registers without."""
    server, kamailio = edge
    taken = Calls()

    async def scenario(loopback: Loopback) -> None:
        bob = await loopback.agent(
            "bob", f"sip:bob@{DOMAIN}", proxy=f"sip:{kamailio[0]}:{kamailio[1]}", instance=instance, on_call=taken.take
        )
        alice = await loopback.agent("alice", f"sip:alice@{DOMAIN}", proxy=f"sip:{server.address[0]}:{server.port}")
        async with bob.registration() as registration:
            assert registration.is_registered
            assert (registration.gruus.public is None) is (instance is None)
            async with alice.call(f"sip:bob@{DOMAIN}"):
                pass
            if registration.gruus.public is not None:
                async with alice.call(registration.gruus.public):
                    pass
        with pytest.raises(CallRejected, match="404"):
            await alice.call(f"sip:bob@{DOMAIN}")
        invites = [octets for octets in loopback.heard if octets.startswith(b"INVITE ")]
        assert len(invites) == (1 if instance is None else 2)
        assert all(f"127.0.0.1:{kamailio[1]}".encode() in octets.split(b"\r\n")[1] for octets in invites), "Kamailio is the last hop"
        assert len(loopback.heard_first_lines("SIP/2.0 439 ")) == (0 if instance is None else 1)

    on_loopback(scenario)


def test_a_path_that_nobody_asked_for(edge: Edge) -> None:
    with Peer(edge[1]) as phone:
        answer = phone.ask(phone.register("carol", phone.contact("carol")))
    assert answer.status == 420
    assert answer.field("Unsupported") == "path"
