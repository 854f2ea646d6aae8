"""What a decision comes to for who cannot wait for failures: a proxy without state, a redirect server (RFC 3261 §16.11, §8.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.message.message import Request
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.preferences import EXPLICIT, Preferences
from ringback.server.proxy.routing import Decision, First, Forward, Gateway, Location, Redirect, Reject, following

if TYPE_CHECKING:
    from ringback.server.proxy.reach import Resolve


def settled(
    decision: Decision, request: Request, resolve: Resolve, decided: Callable[[Decision, float], None]
) -> Forward | Redirect | Reject | None:
    """Of several decisions the first that leads anywhere; None where that takes time: then `decided` is called with it."""
    if isinstance(decision, First):
        found: Forward | Redirect | Reject | None = None
        for one in decision.decisions:
            found = settled(one, request, resolve, decided)
            if not isinstance(found, Reject):
                break
        return found
    if not isinstance(decision, Location | Gateway):
        return decision
    resolved = resolve(decision, request, decided)
    if isinstance(resolved, Reject):
        otherwise = following(decision.else_, resolved.status, found_nobody=True)
        return resolved if otherwise is None else settled(otherwise, request, resolve, decided)
    return None if resolved is None else settled(resolved, request, resolve, decided)


def preferred(forward: Forward, request: Request) -> list[list[Destination]]:
    """The steps of a decision as the caller prefers them (RFC 3841 §7); none where he wants nobody of them.

    Only what he says himself counts, since his CANCEL and his ACK say it again. Raises `SipParseError` where that cannot be read.
    """
    if EXPLICIT.isdisjoint(request.headers.keys):
        return forward.steps()
    return Preferences(request).steps(forward.targets, one_by_one=forward.one_by_one)
