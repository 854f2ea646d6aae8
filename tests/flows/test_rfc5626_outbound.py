"""A phone behind a NAT and our own server: registered as a flow, called, silent for long, called again, and the NAT forgets (RFC 5626)."""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Self

import pytest

from ringback import CallRejected, UserAgent
from ringback.agent.call.incoming_call import IncomingCall
from ringback.server.config import Config
from ringback.server.server import Server
from ringback.testing import Network, run

SERVER, DOMAIN = "192.0.2.100", "example.com"
OUTSIDE, INSIDE, CALLER = "203.0.113.9", "10.0.0.5", "192.0.2.1"
URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


class Place:
    """A server, a phone behind a NAT, and a caller."""

    def __init__(self, transport: str, instance: str | None = URN) -> None:
        self.network = Network()
        self.nat = self.network.nat(OUTSIDE, [INSIDE])
        self.server = Server(Config(domains=[DOMAIN], listen=[f"udp://{SERVER}:5060"], auth="none"), open_transports=self._host(SERVER))
        self.contacts: list[str] = []
        proxy = f"sip:{SERVER};transport={transport}"
        self.bob = UserAgent(
            f"sip:bob@{DOMAIN}",
            proxy=proxy,
            instance=instance,
            on_call=self._answer,
            listen=[f"{transport}://{INSIDE}:5060"],
            open_transports=self._host(INSIDE),
        )
        self.alice = UserAgent(
            f"sip:alice@{DOMAIN}",
            proxy=f"sip:{SERVER}",
            listen=[f"udp://{CALLER}:5060"],
            on_call=self._answer,
            open_transports=self._host(CALLER),
        )

    def _host(self, host: str) -> Any:
        return functools.partial(self.network.host, host)

    async def _answer(self, call: IncomingCall) -> None:
        self.contacts.append(call.request.uri_text)
        await call.answer()
        await call.ended()

    async def ring(self, uri: str = f"sip:bob@{DOMAIN}") -> None:
        """A call that is answered, and ended by the caller."""
        async with asyncio.timeout(5):
            async with self.alice.call(uri):
                await asyncio.sleep(1)

    async def __aenter__(self) -> Self:
        await self.server.start()
        await self.bob.open()
        await self.alice.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.alice.close()
        await self.bob.close()
        await self.server.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_behind_a_nat_is_called_again_after_a_long_silence(transport: str) -> None:
    async def scenario() -> None:
        async with Place(transport) as place, place.bob.registration() as registration:
            [binding] = place.server.location.registered(f"sip:bob@{DOMAIN}")
            assert (binding.instance, binding.reg_id) == (URN, 1)
            assert binding.source == OUTSIDE
            await place.ring()
            await asyncio.sleep(300)
            await place.ring()
            gruus = registration.gruus
            assert gruus.public == f"sip:bob@{DOMAIN};gr={URN}"
            assert gruus.temporary is not None
            await place.ring(gruus.public)
            await place.ring(gruus.temporary)
            assert len(place.contacts) == 4

    run(scenario())


@pytest.mark.parametrize("instance", [URN, None])
def test_a_nat_that_forgets_everything_costs_no_more_than_half_a_minute(instance: str | None) -> None:
    """Without an instance it is `keep` that both ends agree on (RFC 6223)."""

    async def scenario() -> None:
        async with Place("udp", instance) as place, place.bob.registration():
            await asyncio.sleep(200)
            place.nat.forget()
            await asyncio.sleep(30)
            await place.ring()

    run(scenario())


def test_each_party_of_a_call_is_at_its_gruu() -> None:
    """Dialog-forming request and answer, and a target refresh (RFC 5627 §4.4)."""

    async def scenario() -> None:
        async with Place("udp") as place, place.bob.registration() as registration:
            gruu = registration.gruus.public
            async with place.alice.call(f"sip:bob@{DOMAIN}") as call:
                assert call.session is not None
                assert call.session.dialog.remote_target == gruu
                await call.hold()
                assert call.session.dialog.remote_target == gruu
            async with place.alice.registration(), place.bob.call(f"sip:alice@{DOMAIN}") as called:
                await called.hold()
            ours = [passed for passed in place.network.log if passed.source[0] == INSIDE and b" INVITE\r\n" in passed.octets]
            named = [passed.octets for passed in ours if b"\r\nContact: " in passed.octets]
            assert len(named) == 4
            assert all(f"Contact: <{gruu}>".encode() in octets for octets in named)

    run(scenario())


def test_a_phone_that_leaves_is_gone() -> None:
    async def scenario() -> None:
        async with Place("tcp") as place:
            async with place.bob.registration():
                await place.ring()
            with pytest.raises(CallRejected, match="404"):
                await place.ring()

    run(scenario())
