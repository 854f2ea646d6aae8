"""A connection that its peer closes while it rings: CANCEL and ACK go where their INVITE went, over another one (RFC 5923 §8.1)."""

import pytest

from ringback.message.derive import response_to
from tests.server.party import OVER_TLS, House, Party, simulated


def hang_up_connections(party: Party, transport: str) -> None:
    """Ends every connection of a party in order."""
    for connection in list(party.transports._transports[transport]._connections.values()):  # type: ignore[attr-defined]
        connection.end()


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
def test_a_cancel_and_the_ack_after_it_reach_a_callee_that_has_closed_its_connection(transport: str) -> None:
    @simulated
    async def scene() -> None:
        async with House(**OVER_TLS) as house:
            alice = await house.party("alice")
            bob = await house.party("bob", q=1.0, transport=transport)
            invite = alice.ask()
            await alice.hears("100 INVITE")
            asked = await bob.hears("INVITE")
            bob.reply(asked, 180)
            await alice.hears("180 INVITE")
            first = bob.heard[0].flow
            hang_up_connections(bob, transport)
            await bob.hears_nothing(1.0)
            alice.ask("CANCEL", branch=invite.via.branch, call_id=invite.call_id)
            await alice.hears("200 CANCEL")
            cancel = await bob.hears("CANCEL")
            assert bob.heard[-1].flow != first
            bob.reply(cancel, 200)
            bob.transports.send(response_to(asked, 487, tag="bob-tag").to_bytes(), bob.heard[-1].flow)
            response = await alice.hears("487 INVITE")
            alice.ack(invite, response)
            await bob.hears("ACK")

    scene()
