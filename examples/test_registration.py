"""Tests with a server: users, passwords, and a network that fails; simulated time.

pytest examples/test_registration.py
"""

import asyncio

import pytest

from ringback import AuthenticationFailed, CallRejected
from ringback.testing import AgentFactory, Network, ServerFactory

USERS = {"alice": "secret", "bob": "hidden"}


async def test_who_is_registered_is_called_by_name(sip_server: ServerFactory, sip_agent: AgentFactory) -> None:
    await sip_server(domains=["example.com"], users=USERS)
    await sip_agent("bob", password="hidden", on_call=lambda call: call.decline(486), registered=True)
    alice = await sip_agent("alice", password="secret")
    with pytest.raises(CallRejected, match="486 Busy Here"):
        await alice.call("sip:bob@example.com")


async def test_a_wrong_password_registers_nobody(sip_server: ServerFactory, sip_agent: AgentFactory) -> None:
    await sip_server(users=USERS)
    with pytest.raises(AuthenticationFailed):
        await sip_agent("alice", password="guessed", registered=True)


@pytest.mark.sip(loss=0.1, seed=7)
async def test_an_hour_without_network_is_survived(sip_network: Network, sip_server: ServerFactory, sip_agent: AgentFactory) -> None:
    await sip_server(users=USERS)
    alice = await sip_agent("alice", password="secret")
    async with alice.registration(expires=600) as registration:
        sip_network.cut("alice", "server")
        await asyncio.sleep(3600)
        assert not registration.is_registered
        sip_network.heal("alice", "server")
        assert await registration.changed()
