"""Session timers: a session that nobody refreshes in time is over, so that neither party nor proxies keep it for ever (RFC 4028)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ringback.agent.errors import CallEnded, RequestFailed
from ringback.agent.inspection import Refusal
from ringback.message.errors import SipParseError
from ringback.message.fields.session_expires import SessionExpires
from ringback.message.message import Request, Response

if TYPE_CHECKING:
    from ringback.agent.call.session import Session

TAG = "timer"
"""The option tag of RFC 4028 §12.3."""

SHORTEST = 90
"""Seconds below which nobody may want an interval to be (RFC 4028 §5)."""

# §10: this long before the end, or a third of the interval if that is less, a session that was not refreshed is given up.
_MARGIN = 32.0

# A choice: what a peer that breaks the rule of 90 seconds can make us do is one refresh in ten seconds.
_SHORTEST_WAIT = 10.0


class Interval(NamedTuple):
    """What we want of session timers: the seconds to ask for, None to ask for none, and the fewest that we agree to."""

    wanted: int | None = 1800
    minimum: int = SHORTEST

    def check(self) -> Interval:
        """Itself; ValueError where the minimum is under 90 seconds, or more than what is wanted (RFC 4028 §5, §7.1)."""
        if self.minimum < SHORTEST:
            raise ValueError(f"no session interval is shorter than {SHORTEST} s: {self.minimum}")
        if self.wanted is not None and self.wanted < self.minimum:
            raise ValueError(f"a session interval of {self.wanted} s is wanted and is less than the minimum of {self.minimum} s")
        return self


class SessionTimer:
    """The timer of one session: how long it lives without a refresh, and who refreshes it."""

    __slots__ = ("_alarm", "_end", "_session", "interval", "minimum", "refreshes")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alarm: asyncio.TimerHandle | None = None
        self._end = 0.0
        self.interval: int | None = None
        """Seconds; None while there is no session expiration."""
        self.refreshes = False
        """Whether it is we who send the refreshes."""
        self.minimum = 0
        """The largest Min-SE that was heard within the dialog (RFC 4028 §7.4); 0 where none was."""

    def start(self, interval: int, *, refreshes: bool) -> None:
        """The session was refreshed now: it lives for `interval` seconds more."""
        self.stop()
        self.interval = interval
        self.refreshes = refreshes
        loop = self._session.core.loop
        wait = interval - min(_MARGIN, interval / 3)
        self._end = loop.time() + wait
        self._alarm = loop.call_later(max(interval / 2, _SHORTEST_WAIT), self._due) if refreshes else loop.call_later(wait, self._expired)

    def stop(self) -> None:
        """There is no session expiration any more."""
        self.interval = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _due(self) -> None:
        core = self._session.core
        # Whatever becomes of the refresh, and however long it has to wait.
        self._alarm = core.loop.call_at(self._end, self._expired)
        core.spawn(self._refresh())

    async def _refresh(self) -> None:
        """Refreshes; where that is refused tries again in half the time that is left, and gives up in the end (RFC 4028 §10)."""
        session = self._session
        end = self._end
        try:
            await refresh(session)
        except (CallEnded, ValueError):
            # Where what is in force cannot be offered as it is any more, somebody is changing it, and that refreshes too.
            return
        except RequestFailed as failed:
            if self._end != end or self.interval is None:
                return
            if failed.status in (405, 501) and session.allows("UPDATE"):
                session.peer_allows = (session.peer_allows or frozenset()) - {"UPDATE"}
                await self._refresh()
                return
            loop = session.core.loop
            left = end - loop.time()
            if left >= 2 * _SHORTEST_WAIT and self._alarm is not None:
                self._alarm.cancel()
                self._alarm = loop.call_later(left / 2, self._due)

    def _expired(self) -> None:
        """§10: nobody has refreshed the session."""
        self._alarm = None
        session = self._session
        if not session.is_over:
            session.send_bye('SIP;cause=408;text="Session Expired"')
            session.end("the session expired")


async def refresh(session: Session) -> None:
    """Refreshes a session: by an UPDATE without offer where the peer says it takes that, else by a re-INVITE that changes nothing (§7.4).

    Raises as `modify` does.
    """
    from ringback.agent.call.modification import modify

    if session.peer_allows is not None and "UPDATE" in session.peer_allows:
        await modify(session, None, method="UPDATE")
    else:
        # The same description under the same version: it says that nothing has changed.
        await modify(session, session.negotiation.in_force)


def ask(request: Request, interval: Interval, minimum: int = 0) -> None:
    """Puts our wish into an initial INVITE (§7.1), with the largest Min-SE that a 422 to it has had (§7.4)."""
    lowest = max(interval.minimum, minimum)
    wanted = interval.wanted
    if wanted is None and minimum:
        # Somebody on the way has asked for a timer in our name.
        wanted = minimum
    if wanted is not None:
        request.headers.set("Session-Expires", max(wanted, lowest))
    if minimum or lowest > SHORTEST:
        request.headers.set("Min-SE", lowest)


def ask_again(session: Session, request: Request) -> None:
    """Puts the timer that is running into a re-INVITE or UPDATE (§7.4); roles stay as they are."""
    timer = session.timer
    if timer is None or session.dialog.is_early:
        return
    lowest = max(session.call.interval.minimum, timer.minimum)
    if timer.interval is not None:
        role = "uac" if timer.refreshes else "uas"
        request.headers.set("Session-Expires", f"{max(timer.interval, lowest)};refresher={role}")
    if timer.minimum or lowest > SHORTEST:
        request.headers.set("Min-SE", lowest)


def too_small(response: Response, minimum: int) -> int | None:
    """The Min-SE of a 422 that asks for more than we knew; None where trying again would be of no use (§7.3)."""
    if response.status != 422:
        return None
    try:
        named: SessionExpires | None = response.value("Min-SE")
    except SipParseError:
        return None
    return named.seconds if named is not None and named.seconds > minimum else None


def raise_minimum(session: Session, response: Response) -> bool:
    """Takes the Min-SE of a 422 to a re-INVITE or UPDATE; whether that is to be tried again with it (§7.3, §7.4)."""
    minimum = too_small(response, 0 if session.timer is None else session.timer.minimum)
    if minimum is None:
        return False
    _timer_of(session).minimum = minimum
    return True


def take_2xx(session: Session, response: Response) -> None:
    """Takes the timer in the 2xx to a session refresh request of ours: its reception refreshes the session (§7.2)."""
    named: SessionExpires | None = None
    if "session-expires" in response.headers.keys:
        try:
            named = response.value("Session-Expires")
        except SipParseError:
            named = None
    if named is not None:
        # §7.2: the refresher is always named; who forgets leaves it to the one who asked.
        _timer_of(session).start(named.seconds, refreshes=named.refresher != "uas")
    elif session.timer is not None:
        session.timer.stop()


def shortness(request: Request, interval: Interval) -> Refusal | None:
    """422 for a session refresh request whose interval is shorter than we agree to, where its sender knows what that means (§9).

    `SipParseError` where Session-Expires, Min-SE or Supported is malformed.
    """
    keys = request.headers.keys
    if "min-se" in keys:
        # Read here, so that what is malformed is refused before anything has changed.
        request.value("Min-SE")
    if "session-expires" not in keys:
        return None
    named: SessionExpires = request.value("Session-Expires")
    if named.seconds >= interval.minimum or TAG not in request.supported:
        return None
    return Refusal(422, None, (("Min-SE", interval.minimum),))


def agree(session: Session, request: Request, response: Response) -> None:
    """Puts the timer into our 2xx to a session refresh request; its sending refreshes the session (§9, table 2).

    The request has passed `shortness`.
    """
    keys = request.headers.keys
    named: SessionExpires | None = request.value("Session-Expires") if "session-expires" in keys else None
    lowest: SessionExpires | None = request.value("Min-SE") if "min-se" in keys else None
    is_known = "supported" in keys and TAG in request.supported
    if lowest is not None:
        timer = _timer_of(session)
        timer.minimum = max(timer.minimum, lowest.seconds)
    floor = max(SHORTEST, 0 if lowest is None else lowest.seconds)
    wanted = session.call.interval.wanted
    if named is not None:
        # It may be reduced, and never be increased.
        interval = named.seconds if wanted is None else min(named.seconds, max(wanted, floor))
        refresher = (named.refresher or "uac") if is_known else "uas"
    elif is_known and wanted is not None:
        # Who wants it does it.
        interval, refresher = max(wanted, floor), "uas"
    else:
        if session.timer is not None:
            session.timer.stop()
        return
    if is_known:
        response.headers.append("Require", TAG)
    response.headers.append("Session-Expires", f"{interval};refresher={refresher}")
    _timer_of(session).start(interval, refreshes=refresher == "uas")


def _timer_of(session: Session) -> SessionTimer:
    if session.timer is None:
        session.timer = SessionTimer(session)
    return session.timer
