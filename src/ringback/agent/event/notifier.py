"""Serving an event package: who subscribes to it, and what all of them are told (RFC 6665 §4.2).

notifier = agent.serve_event(EventPackage("presence", "application/pidf+xml", state=closed))
notifier.notify(open_)                                    # everybody
notifier.subscriptions[0].terminate("noresource")         # one of them
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.agent.event.event_package import PENDING, Body, EventPackage
from ringback.agent.event.incoming_subscription import IncomingSubscription, accept, too_brief
from ringback.agent.inspection import Refusal
from ringback.dialog.dialog import Dialog
from ringback.message.fields.event import Event
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

# A choice: every request within a dialog asks each of its usages. Phones have two or three; more is an attack.
MAX_USAGES = 32

OnSubscription = Callable[[IncomingSubscription], None]


class Notifier:
    """The subscriptions to one event package of ours."""

    def __init__(self, package: EventPackage, on_subscription: OnSubscription | None = None) -> None:
        """`on_subscription` hears of each new one after its 200: of a pending one, to ask somebody. What it does not send is sent then."""
        self.package = package
        self.on_subscription = on_subscription
        self.core: AgentCore
        self._subscriptions: dict[IncomingSubscription, None] = {}

    def attach(self, core: AgentCore) -> None:
        """Serves an open agent's subscribers from now on."""
        self.core = core
        self._subscriptions = {}
        core.event_packages[self.package.name] = self.receive

    @property
    def subscriptions(self) -> list[IncomingSubscription]:
        """Those that stand, the oldest first."""
        return list(self._subscriptions)

    def notify(self, state: Body | bytes) -> None:
        """The state is now this: every active subscription is told, and later ones begin with it."""
        self.package.state = self.package.as_body(state)
        self.refresh()

    def refresh(self) -> None:
        """Tells every active subscription what the package's `body` gives for it now."""
        for subscription in self.subscriptions:
            if subscription.state != PENDING:
                subscription.notify(self.package.body(subscription))

    def receive(self, event: RequestReceived, _now: float) -> None:
        """Takes a SUBSCRIBE that begins a subscription, in a dialog of its own or in one that is there (§4.2.1.1, §4.5.2)."""
        core = self.core
        package = self.package
        request = event.request
        asked = package.default_expires if request.expires is None else request.expires
        content_types = package.content_types_for(request)
        dialog = core.dialogs.of_request(request)
        verdict = package.authorize(request)
        if isinstance(verdict, Refusal):
            refusal: Refusal | None = verdict
        elif package.content_types and not content_types:
            refusal = Refusal(406, None, (("Accept", ", ".join(package.content_types)),))
        elif len(self._subscriptions) >= package.max_subscriptions:
            refusal = Refusal(503, "Too Many Subscriptions", (("Retry-After", package.min_expires),))
        elif dialog is not None and len(dialog.usages) >= MAX_USAGES:
            refusal = Refusal(403, "This Dialog Is Shared Enough")
        else:
            refusal = too_brief(asked, package.min_expires)
        if refusal is not None or isinstance(verdict, Refusal):
            core.refuse(event, refusal or Refusal(403))
            return
        expires = min(asked, package.max_expires)
        if dialog is None:
            tag = core.token()
            # Made before anything is sent, for what is malformed refuses the request.
            dialog = Dialog.of_server(request, core.response(request, 200, tag=tag))
        else:
            dialog.refresh_target(request)
        accept(core, event, expires, dialog.local_tag)
        subscription = IncomingSubscription(
            core,
            dialog,
            _event_of(request.value("Event")),
            expires=expires,
            state=verdict,
            content_types=content_types,
            body=package.body,
            on_end=self._ended,
            authorize=package.authorize,
            min_expires=package.min_expires,
            max_expires=package.max_expires,
            is_complete=package.is_complete,
            request=request,
        )
        self._subscriptions[subscription] = None
        if self.on_subscription is not None:
            self.on_subscription(subscription)
        if expires == 0:
            # §4.4.3: a fetch.
            subscription.terminate("timeout", package.body(subscription))
        elif not subscription.is_notified:
            subscription.notify(package.body(subscription))

    def _ended(self, subscription: IncomingSubscription) -> None:
        self._subscriptions.pop(subscription, None)


def receive_subscribe(core: AgentCore, event: RequestReceived, now: float) -> None:
    """Takes a SUBSCRIBE that belongs to no subscription yet: to whoever serves its event package, else 489 (§4.2.1.1, §4.2.3)."""
    its = event.request.value("Event")
    serve = None if its is None else core.event_packages.get(its.value)
    if serve is None or event.request.headers.count("Event") > 1:
        names = ", ".join(core.event_packages)
        core.refuse(event, Refusal(489, None, (("Allow-Events", names),) if names else ()))
    else:
        serve(event, now)


def _event_of(event: Event) -> Event:
    """Event of our NOTIFYs: the package and the id of the SUBSCRIBE (§4.5.2); other parameters are the SUBSCRIBE's own."""
    return Event(event.value, {"id": event.params["id"]} if "id" in event.params else None)
