"""Raw peers that subscribe, raw peers that notify, and what an agent makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ringback import Request, Response, UserAgent
from ringback.agent.event.event_package import EventPackage
from ringback.agent.event.notifier import Notifier
from ringback.agent.event.subscription import Subscription
from tests.agent.stage import Stage, on_stage
from tests.server.party import Party

PIDF = "application/pidf+xml"
TIMER_N = 32.0


def notify(
    party: Party,
    subscribe: Request,
    state: str | None = "active;expires=3600",
    *,
    tag: str = "bob-tag",
    cseq: int = 1,
    event: str | None = "presence",
    body: str = "",
    content_type: str = PIDF,
    extra: str = "",
    is_sent: bool = True,
) -> Request:
    """The NOTIFY that a peer's SUBSCRIBE asks for, sent unless it is not to be."""
    fields = [] if event is None else [f"Event: {event}"]
    if state is not None:
        fields.append(f"Subscription-State: {state}")
    if body:
        fields.append(f"Content-Type: {content_type}")
    if extra:
        fields.append(extra)
    to = subscribe.headers.text("To") or ""
    request = party.request(
        "NOTIFY",
        subscribe.contact.uri_text,
        from_=to if ";tag=" in to else f"{to};tag={tag}",
        to=subscribe.headers.text("From"),
        call_id=subscribe.call_id,
        cseq=cseq,
        contact=f"<{party.uri}>",
        extra="\n".join(fields),
        body=body,
    )
    if is_sent:
        party.send(request)
    return request


class Watcher:
    """A raw peer's subscription: what it asks, and the numbers that count up."""

    def __init__(self, party: Party, uri: str, event: str = "presence", call_id: str = "watch") -> None:
        self.party = party
        self.uri = uri
        self.event = event
        self.call_id = call_id
        self.cseq = 0
        self.ok: Response | None = None

    def ask(
        self, expires: int | None = 3600, *, accept: str | None = None, event: str | None = "", extra: str = "", **parts: Any
    ) -> Request:
        """Sends a SUBSCRIBE: the first, or the next one within the dialog."""
        self.cseq += 1
        fields = [] if event is None else [f"Event: {event or self.event}"]
        fields += [] if expires is None else [f"Expires: {expires}"]
        fields += [] if accept is None else [f"Accept: {accept}"]
        fields += [extra] if extra else []
        if self.ok is not None:
            parts.setdefault("to", self.ok.headers.text("To"))
        uri = self.uri if self.ok is None else self.ok.contact.uri_text
        return self.party.ask("SUBSCRIBE", uri, call_id=self.call_id, cseq=self.cseq, extra="\n".join(fields), **parts)

    async def subscribe(self, expires: int | None = 3600, *, answer: int = 200, **parts: Any) -> Request:
        """Subscribes or refreshes, hears the 200 and the NOTIFY, answers that; gives the NOTIFY."""
        self.ask(expires, **parts)
        ok = await self.party.hears("200 SUBSCRIBE")
        self.ok = self.ok or ok
        self.latest = ok
        return await self.notified(answer)

    async def notified(self, answer: int = 200, **parts: Any) -> Request:
        """The next NOTIFY, which is answered so."""
        notification: Request = await self.party.hears("NOTIFY")
        self.party.reply(notification, answer, **parts)
        return notification

    async def refused(self, status: int, expires: int | None = 3600, **parts: Any) -> Response:
        """Subscribes or refreshes; gives the refusal, which must be this one."""
        self.ask(expires, **parts)
        refusal: Response = await self.party.hears(f"{status} SUBSCRIBE")
        return refusal

    async def leave(self) -> Request:
        """Ends the subscription; gives the last NOTIFY."""
        return await self.subscribe(0)


def presence(**options: Any) -> EventPackage:
    """An event package like presence."""
    options.setdefault("state", b"closed")
    return EventPackage("presence", PIDF, **options)


def served(scenario: Callable[[Watcher, Notifier], Awaitable[None]], **options: Any) -> Stage:
    """Plays a scenario between a raw subscriber and an agent that serves presence."""

    async def play(stage: Stage) -> None:
        bob = await stage.agent("bob")
        notifier = bob.serve_event(presence(**options))
        await scenario(Watcher(await stage.party("alice", "bob"), stage.uri("bob")), notifier)

    return on_stage(play)


def state_of(notification: Request) -> str:
    """Subscription-State as text."""
    return notification.headers.text("Subscription-State") or ""


def subscribed(scenario: Callable[[UserAgent, Party], Awaitable[None]]) -> Stage:
    """Plays a scenario between an agent that subscribes and a raw notifier."""

    async def play(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await scenario(alice, await stage.party("bob", "alice"))

    return on_stage(play)


class Attempt:
    """A subscription in the making: what the agent asks, what the notifier says, and what the program then has."""

    def __init__(self, alice: UserAgent, bob: Party, event: str = "presence", **options: Any) -> None:
        self.bob = bob
        self.subscription = alice.subscribe(bob.uri, event, **options)
        self.task = asyncio.ensure_future(self._enter())

    async def _enter(self) -> Subscription:
        return await self.subscription

    async def begun(self, state: str = "active;expires=3600", **parts: Any) -> Request:
        """The SUBSCRIBE is answered 200 and notified, the subscription stands; gives the SUBSCRIBE."""
        subscribe: Request = await self.bob.hears("SUBSCRIBE")
        self.bob.reply(subscribe, 200, extra="Expires: 3600")
        await notified(self.bob, subscribe, state, **parts)
        await self.task
        return subscribe

    async def left(self, cseq: int = 99) -> None:
        """The program unsubscribes, the notifier agrees."""
        leaving = asyncio.ensure_future(self.subscription.unsubscribe())
        subscribe = await self.bob.hears("SUBSCRIBE")
        assert subscribe.expires == 0
        self.bob.reply(subscribe, 200, extra="Expires: 0")
        await notified(self.bob, subscribe, "terminated;reason=timeout", cseq=cseq)
        await leaving


async def notified(party: Party, subscribe: Request, state: str | None, *, status: int = 200, **parts: Any) -> Any:
    """Sends a NOTIFY, which must be answered so; gives the answer."""
    notify(party, subscribe, state, **parts)
    return await party.hears(f"{status} NOTIFY")


async def read(subscription: Subscription) -> list[str]:
    """The states of all notifications, until the subscription is over."""
    return [notification.state async for notification in subscription]
