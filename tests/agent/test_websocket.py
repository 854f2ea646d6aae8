"""A program of ours as a WebSocket client: it registers and calls like a page does (RFC 7118)."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from ringback import IncomingCall, Unreachable, UserAgent
from ringback.server.config import WebSocketConfig
from ringback.testing import Stage
from ringback.transport.limits import WebSocketRules
from tests.server.party import simulated

PASSWORDS = {"alice": "wonderland", "bob": "opensesame"}
# The hosts of a stage in the order in which they come: the server, Bob, Alice.
LISTEN = ["udp://192.0.2.1:5060", "ws://192.0.2.1:80"]
BOB: dict[str, Any] = {"password": "opensesame", "listen": ["ws://192.0.2.2:0"]}
ALICE: dict[str, Any] = {"password": "wonderland", "listen": ["ws://192.0.2.3:0"]}


async def answers(call: IncomingCall) -> None:
    await call.answer()
    await call.ended()


@pytest.mark.parametrize(("caller", "ways"), [(ALICE, {"WS"}), ({"password": "wonderland"}, {"WS", "UDP"})])
@simulated
async def test_an_agent_registers_and_is_called_over_websocket(caller: dict[str, Any], ways: set[str]) -> None:
    async with Stage() as stage:
        server = await stage.server(users=PASSWORDS, listen=LISTEN)
        await stage.agent("bob", registered=True, on_call=answers, **BOB)
        alice = await stage.agent("alice", **caller)
        assert len(server.location) == 1
        async with alice.call("sip:bob@example.com") as call:
            # Longer than anybody waits in silence.
            await asyncio.sleep(3_600)
            assert not call.is_over
        assert {passed.transport for passed in stage.network.log} == ways


@simulated
async def test_an_answer_says_nothing_of_where_the_request_came_from_and_is_taken() -> None:
    async with Stage() as stage:
        server = await stage.server(users=PASSWORDS, listen=LISTEN)
        send = server.transports.send

        def without_received(data: bytes, flow: Any) -> None:
            head, mark, rest = data.partition(b";received=")
            send(head + rest[rest.index(b"\r\n") :] if mark else data, flow)

        server.transports.send = without_received  # type: ignore[method-assign]
        responses: list[bytes] = []

        def observe(direction: str, data: bytes, *_: Any) -> None:
            if direction == "in":
                responses.append(data)

        bob = await stage.agent("bob", observer=observe, **BOB)
        async with bob.registration():
            assert len(server.location) == 1
        assert responses
        assert all(b";received=" not in data for data in responses)


@simulated
async def test_an_agent_learns_why_it_is_not_let_in() -> None:
    async with Stage() as stage:
        await stage.server(users=PASSWORDS, listen=LISTEN, websocket=WebSocketConfig(path="/ws"))
        bob = await stage.agent("bob", **BOB)
        with pytest.raises(Unreachable, match="WebSocket Refused: 404 Not Found"):
            await bob.request("OPTIONS", "sip:example.com")


@simulated
async def test_an_agent_asks_for_the_path_that_its_server_wants() -> None:
    async with Stage() as stage:
        await stage.server(users=PASSWORDS, listen=LISTEN, websocket=WebSocketConfig(path="/ws"))
        ways = functools.partial(stage.network.host, "192.0.2.9", websocket=WebSocketRules(asked_path="/ws"))
        async with UserAgent("sip:bob@example.com", password="opensesame", listen=["ws://192.0.2.9:0"], open_transports=ways) as bob:
            assert (await bob.request("OPTIONS", "sip:example.com")).status == 200


@pytest.mark.parametrize("password", ["s:ecret", "wrong", None])
@simulated
async def test_an_agent_that_is_asked_who_it_is_says_so(tmp_path_factory: pytest.TempPathFactory, password: str | None) -> None:
    """RFC 7118 §7: the server wants a user and a password in the handshake, and answers 401 without."""
    file = tmp_path_factory.mktemp("admission") / "admission.py"
    file.write_text("def admit(handshake):\n    return handshake.credentials == ('bob', 's:ecret') or 401")
    rules = WebSocketRules(credentials=None if password is None else ("bob", password))
    async with Stage() as stage:
        await stage.server(users=PASSWORDS, listen=LISTEN, websocket=WebSocketConfig(admission=file))
        ways = functools.partial(stage.network.host, "192.0.2.9", websocket=rules)
        async with UserAgent("sip:bob@example.com", password="opensesame", listen=["ws://192.0.2.9:0"], open_transports=ways) as bob:
            if password == "s:ecret":
                assert (await bob.request("OPTIONS", "sip:example.com")).status == 200
            else:
                with pytest.raises(Unreachable, match="WebSocket Refused: 401 Unauthorized"):
                    await bob.request("OPTIONS", "sip:example.com")
