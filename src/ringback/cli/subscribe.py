"""`ringback subscribe`: what a notifier says of an event package, as it comes (RFC 6665)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ringback.cli.agent_options import AgentOptions, agent_options
from ringback.cli.body import body_fields, body_text
from ringback.cli.duration import duration_between, duration_text
from ringback.cli.fault import Fault
from ringback.cli.outcome import DONE, EXIT_STATUS, REFUSED
from ringback.message.errors import SipParseError
from ringback.message.fields.event import Event
from ringback.message.fields.media_type import MediaType
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.event.notification import Notification
    from ringback.agent.event.subscription import Subscription
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.live_state import LiveState

# Reasons with which a notifier says no (RFC 6665 §4.1.3); with others it has done what was asked.
_REFUSALS = frozenset(("rejected", "noresource", "giveup"))


@click.command(short_help="Watch an event package: presence, dialog, message-summary …", epilog=EXIT_STATUS)
@click.argument("uri")
@click.argument("event")
@click.option("--expires", default="1h", show_default=True, type=duration_between(0, 2**32 - 1), help="How long to ask for; 0 asks once.")
@click.option("--accept", metavar="TYPE/SUBTYPE", multiple=True, help="A type of body that is understood; may be repeated.  [default: any]")
@click.option("--once", "is_once", is_flag=True, help="End after the first state.")
@agent_options
def subscribe(uri: str, event: str, expires: float, accept: tuple[str, ...], is_once: bool, options: AgentOptions) -> None:
    """Subscribe to an EVENT package (presence, dialog, message-summary, reg …) at a URI, and print every state until Ctrl-C.

    URI is a SIP URI, or a name alone in the domain of --user.
    """
    from ringback.cli.agent_run import run_agent

    notifier = options.address(uri, "URI")
    try:
        Event.parse(event)
    except SipParseError as error:
        raise Fault(f"EVENT: {printable(event)} is no event package: {error.reason}") from None
    for one in accept:
        try:
            MediaType.parse(one)
        except SipParseError as error:
            raise Fault(f"--accept: {printable(one)} is no media type: {error.reason}") from None

    async def act(agent: UserAgent, state: LiveState) -> int:
        subscription = agent.subscribe(notifier, event, expires=int(expires), accept=accept)
        what = f"{printable(event)} of {printable(notifier)}"
        state.show(subscription, f"subscribing to {what}", spins=True)
        try:
            async with subscription:
                state.show(subscription, f"subscribed to {what}; Ctrl-C unsubscribes")
                has_left = await _watch(subscription, state, is_once)
        finally:
            state.drop(subscription)
        if has_left:
            state.tell("unsubscribed", f"unsubscribed from {what}")
            return DONE
        return _conclude(state, subscription, what)

    run_agent(options, act)


async def _watch(subscription: Subscription, state: LiveState, is_once: bool) -> bool:
    """Says every state until the notifier ends it, or the user has enough of it: then True."""
    try:
        async for notification in subscription:
            _say(state, notification)
            if is_once and subscription.reason is None:
                return True
    except asyncio.CancelledError:
        # Leaving the subscription says goodbye.
        return True
    return False


def _say(state: LiveState, notification: Notification) -> None:
    line = printable(notification.state)
    if notification.reason is not None:
        line += f": {printable(notification.reason)}"
    if notification.expires is not None:
        line += f" for {duration_text(notification.expires)}"
    if notification.body:
        line += f", {printable(notification.content_type or 'of no type')}, {len(notification.body)} octets"
    state.tell(
        "notification",
        line,
        "bold",
        state=notification.state,
        reason=notification.reason,
        expires=notification.expires,
        retry_after=notification.retry_after,
        **body_fields(notification.body, notification.content_type),
    )
    if notification.body and not state.is_json:
        state.tell("body", body_text(notification.body))


def _conclude(state: LiveState, subscription: Subscription, what: str) -> int:
    """The notifier has ended it."""
    reason = subscription.reason or ""
    line = f"subscription to {what} ended: {printable(reason)}"
    if subscription.retry_after is not None:
        line += f"; it may be asked again after {duration_text(subscription.retry_after)}"
    state.tell("ended", line, reason=reason, retry_after=subscription.retry_after)
    return REFUSED if reason in _REFUSALS else DONE
