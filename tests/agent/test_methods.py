"""All fourteen methods, asked and answered both ways between two agents: directly, through our server, and through one that wants proof."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import pytest

from ringback import CallEnded, IncomingCall, IncomingInfo, IncomingMessage, IncomingRequest, Reply, Request, Response, UserAgent
from ringback.agent.event.event_package import EventPackage
from ringback.agent.transfer.referral import Referral
from ringback.message.methods import METHODS
from ringback.testing import Network, run
from tests.agent.stage import Stage
from tests.server.party import DOMAIN, SERVER, House

PIDF = "application/pidf+xml"


class Side(NamedTuple):
    """Who asks, and whom: an agent, and the URI under which the other one is reached."""

    agent: UserAgent
    peer: UserAgent
    own_uri: str
    uri: str


class World(NamedTuple):
    """Where two agents meet."""

    stage: Stage
    sides: list[Side]
    has_registrar: bool


async def reception(call: IncomingCall) -> None:
    """Rings so that it must be heard, answers unless that is given up, and listens."""
    await call.ring(reliable=True)
    await asyncio.sleep(0.3)
    await call.answer()
    await call.ended()


def registrar(request: IncomingRequest) -> Reply:
    """A registrar that knows one binding for as long as it takes to say so."""
    contacts = [("Contact", contact) for contact in request.request.headers.texts("Contact")]
    return Reply(headers=(*contacts, ("Expires", 600)))


def compositor(request: IncomingRequest) -> Reply:
    """An event state compositor that takes everything."""
    return Reply(headers=(("SIP-ETag", "tag1"), ("Expires", request.request.expires)))


async def does_as_told(referral: Referral) -> None:
    """Sends what it is asked to send."""
    await referral.send()


def options() -> dict[str, Any]:
    """What an agent needs to answer every method."""
    return {"on_call": reception, "on_message": _reads, "on_info": _learns, "on_refer": does_as_told}


def _reads(message: IncomingMessage) -> None:
    assert message.text == "hello"


def _learns(info: IncomingInfo) -> None:
    assert info.body == b"news"


def prepare(agent: UserAgent, *, is_registrar: bool) -> None:
    """Has an agent serve what the program must see to."""
    agent.serve("PUBLISH", compositor)
    if is_registrar:
        agent.serve("REGISTER", registrar)
    agent.serve_event(EventPackage("presence", PIDF, state=b"<presence/>"))


@asynccontextmanager
async def direct() -> AsyncIterator[World]:
    """Two agents that reach each other by themselves."""
    async with Stage() as stage:
        alice, bob = await stage.agent("alice", **options()), await stage.agent("bob", **options())
        for agent in (alice, bob):
            prepare(agent, is_registrar=True)
        alice_uri, bob_uri = stage.uri("alice"), stage.uri("bob")
        yield World(stage, [Side(alice, bob, alice_uri, bob_uri), Side(bob, alice, bob_uri, alice_uri)], False)


@asynccontextmanager
async def through_server(auth: str) -> AsyncIterator[World]:
    """Two agents that are registered at our server and do everything through it."""
    network = Network()
    async with House(network, auth=auth) as house, Stage(network) as stage, AsyncExitStack() as registered:
        house.names[DOMAIN] = [SERVER]
        agents = []
        for name in ("alice", "bob"):
            if auth == "digest":
                house.server.users.add(name, DOMAIN, f"{name}'s secret")
            agent = await stage.agent(
                name, f"sip:{name}@{DOMAIN}", proxy=f"sip:{SERVER}", password=f"{name}'s secret" if auth == "digest" else None, **options()
            )
            prepare(agent, is_registrar=False)
            agents.append(agent)
        for agent in agents:
            await registered.enter_async_context(agent.registration())
        alice, bob = agents
        alice_uri, bob_uri = alice.identity.aor, bob.identity.aor
        yield World(stage, [Side(alice, bob, alice_uri, bob_uri), Side(bob, alice, bob_uri, alice_uri)], True)


WORLDS: dict[str, Callable[[], Any]] = {
    "directly": direct,
    "through a server": lambda: through_server("none"),
    "through a server that wants proof": lambda: through_server("digest"),
}


# What one agent does so that the other is asked.


async def whole_call(side: Side) -> None:
    """INVITE, ACK, BYE and, since it rings reliably, PRACK."""
    async with side.agent.call(side.uri):
        pass


async def given_up(side: Side) -> None:
    """CANCEL."""
    call = side.agent.call(side.uri)
    await call.place()
    await call.ringing
    call.cancel()
    with pytest.raises(CallEnded):
        await call.answered()


async def modified(side: Side) -> None:
    """UPDATE."""
    async with side.agent.call(side.uri) as call:
        await call.modify(None, method="UPDATE")


async def informed(side: Side) -> None:
    """INFO."""
    async with side.agent.call(side.uri) as call:
        await call.send_digits("1")
        await call.send_info(None, b"news", "text/plain")


async def messaged(side: Side) -> None:
    """MESSAGE, outside of calls and within one."""
    assert (await side.agent.message(side.uri, "hello")).status == 200
    async with side.agent.call(side.uri) as call:
        await call.message("hello")


async def asked(side: Side) -> None:
    """OPTIONS."""
    assert METHODS - {"REGISTER"} <= set((await side.agent.options(side.uri)).headers.values("Allow"))


async def referred(side: Side) -> None:
    """REFER, and the NOTIFYs of what comes of it."""
    assert (await side.agent.refer(side.uri, f"<{side.own_uri};method=OPTIONS>")).status == 200


async def subscribed(side: Side) -> None:
    """SUBSCRIBE, and NOTIFY the other way."""
    async with side.agent.subscribe(side.uri, "presence", accept=[PIDF]) as subscription:
        async for notification in subscription:
            assert notification.body == b"<presence/>"
            break


async def notified(side: Side) -> None:
    """NOTIFY: what the peer has subscribed to."""
    await subscribed(Side(side.peer, side.agent, side.uri, side.own_uri))


async def published(side: Side) -> None:
    """PUBLISH."""
    async with side.agent.publish("presence", b"<presence/>", content_type=PIDF, uri=side.uri) as publication:
        assert publication.entity_tag == "tag1"


async def registered(side: Side) -> None:
    """REGISTER, at the other agent."""
    async with side.agent.registration(registrars=[side.uri.replace("alice@", "").replace("bob@", "")]) as registration:
        assert registration.is_registered


ROWS: dict[str, Callable[[Side], Awaitable[None]]] = {
    "INVITE": whole_call,
    "ACK": whole_call,
    "BYE": whole_call,
    "CANCEL": given_up,
    "OPTIONS": asked,
    "REGISTER": registered,
    "PRACK": whole_call,
    "UPDATE": modified,
    "INFO": informed,
    "MESSAGE": messaged,
    "REFER": referred,
    "SUBSCRIBE": subscribed,
    "NOTIFY": notified,
    "PUBLISH": published,
}


def test_the_table_has_every_method() -> None:
    assert set(ROWS) == METHODS


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("method", ROWS)
def test_every_method_works_both_ways(method: str, world: str) -> None:
    async def scenario() -> None:
        async with WORLDS[world]() as place:
            for side in place.sides:
                await ROWS[method](side)
            # The last of what is said is still under way.
            await asyncio.sleep(1)
            for side in place.sides:
                _check(place, side, method)

    run(scenario())


def _check(place: World, side: Side, method: str) -> None:
    """Asserts that one agent's requests of a method have reached the other, or its registrar, and were answered well."""
    here, there = (str(one.core.transports.endpoints[0].host) for one in (side.agent, side.peer))
    messages = [
        (passed.source[0], passed.destination[0], message)
        for passed, message in zip(place.stage.network.log, place.stage.messages(), strict=True)
    ]
    heard = [
        message
        for _, destination, message in messages
        if isinstance(message, Request)
        and message.method == method
        and message.vias[-1].host == here
        and destination in _answerers(place, method, there)
    ]
    assert heard, f"no {method} of {here} has reached {there}"
    if method == "ACK":
        return
    statuses = [
        message.status
        for _, destination, message in messages
        if isinstance(message, Response) and destination == here and message.cseq.method == method and message.vias[0].host == here
    ]
    good = 487 if method == "CANCEL" else 200
    assert 200 in statuses or 202 in statuses, f"{method}: {statuses}"
    assert not [status for status in statuses if status >= 300 and status not in (401, 407, good)], f"{method}: {statuses}"


def _answerers(place: World, method: str, there: str) -> tuple[str, ...]:
    if place.has_registrar:
        # A registrar is a server's part; and §9.2, §16.10: a CANCEL goes from hop to hop, with a Via of each.
        if method == "REGISTER":
            return (SERVER,)
        if method == "CANCEL":
            return (SERVER, there)
    return (there,)
