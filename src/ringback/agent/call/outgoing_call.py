"""A call that is placed: its early dialogs, its answers, its redirections (RFC 3261 §13.2, §9.1, §8.1.3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ringback.agent.call.asserted_identity import asserted_identities
from ringback.agent.call.call import Call
from ringback.agent.call.late_answers import LateAnswers
from ringback.agent.call.late_offer import LateOffer, OnOffer
from ringback.agent.call.media import Media, MediaFactory
from ringback.agent.call.negotiation import Negotiation, description_of, put_description
from ringback.agent.call.prack import Reoffer, is_reliable, receive_reliable
from ringback.agent.call.privacy import anonymous_identity, privacy_of, veil
from ringback.agent.call.session import Session
from ringback.agent.call.session_timer import ask, too_small
from ringback.agent.errors import CallEnded, CallTimedOut, Unreachable, failure
from ringback.agent.exchange import Exchange, host_of, next_hop_of
from ringback.agent.identity import wants_sips
from ringback.agent.refusal import UNUSABLE
from ringback.agent.registration.registrar import loose_route
from ringback.agent.target_set import request_uri
from ringback.agent.transfer.referred_by import put_token
from ringback.agent.uri_request import invitation_of, is_invitation
from ringback.dialog.dialog import Dialog, establishes_dialog
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, parse_uri
from ringback.sdp.description import SessionDescription

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore
    from ringback.agent.transfer.referral import Referral
    from ringback.message.multipart import Part

# RFC 3261 §8.1.3.4 names no bound. A choice: no honest chain of redirections is as long as Max-Forwards' 70, few are longer than two.
MAX_REDIRECTIONS = 10

MAX_EARLY_DIALOGS = 60
"""Parties that may answer one INVITE provisionally. A choice: as many as branches an INVITE has by default (RFC 5393 §5.3.3)."""


class Elsewhere(NamedTuple):
    """Where a redirection leads."""

    uri: str
    proxy: str | None = None
    """Route value of the proxy that the URI is to be called through (§21.3.4)."""


class OutgoingCall(Call):
    """An INVITE of ours. Awaiting it, or entering it as a context manager, places the call and waits for the answer.

        async with agent.call("sip:bob@example.com") as call: …

    raises `CallRejected`, `CallTimedOut` or `Unreachable` (all `CallFailed`) where it does not come about.
    """

    referral: Referral | None = None
    """The REFER that this call follows; None where the program places it of itself."""
    token: Part | None = None
    """The proof of who has sent us, to go along with the INVITE (RFC 3892)."""
    on_response: Callable[[Response], None] | None = None
    """Hears every response to the INVITE."""

    def __init__(
        self,
        core: AgentCore,
        uri: str,
        media: MediaFactory,
        *,
        headers: Iterable[tuple[str, object]] = (),
        offers: bool = True,
        follows: bool = True,
        ring_for: float | None = None,
        requires: Iterable[str] = (),
        anonymous: bool | str = False,
        on_offer: OnOffer | None = None,
    ) -> None:
        """`headers` are put into the INVITE; the callee must know the extensions it `requires` (`100rel`), else it refuses with 420.

        Without `offers` the callee is asked to offer; redirections are followed with `follows`. After `ring_for` seconds without an answer
        the call is given up: `CallTimedOut`. An `anonymous` one hides who calls, and asks the network to: `"header;session;id"` names what.
        `on_offer` makes the answer to the callee's offer, where we have none; ValueError where we have.
        """
        super().__init__(core)
        if on_offer is not None and (offers or "100rel" in requires):
            raise ValueError("on_offer answers what comes with the 2xx, so it needs offers=False and no 100rel")
        self._late_offer = None if on_offer is None else LateOffer(self, on_offer)
        self.privacy = privacy_of(anonymous)
        self.uri = uri
        self.ringing: asyncio.Future[Response] = core.loop.create_future()
        """Done with the first 1xx that says the callee is being alerted or that it is worked on there: 101 to 199."""
        self.sessions: dict[str | None, Session] = {}
        """One for each party that has answered so far, provisionally or not, by its tag."""
        self.reoffer: Reoffer | None = None
        """What is offered in the PRACK of a reliable provisional response with the callee's answer, if anything (RFC 3262 §5)."""
        self._headers = [*headers, *[("Require", tag) for tag in requires]]
        self._make_media = media
        self._offers = offers
        self._follows = follows
        self._ring_for = ring_for
        self._alarm: asyncio.TimerHandle | None = None
        self._offer: SessionDescription | None = None
        self._exchange: Exchange | None = None
        self._answered: asyncio.Future[None] = core.loop.create_future()
        # Nobody may be waiting when it fails.
        self._answered.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._final: asyncio.Future[None] = core.loop.create_future()
        self._is_placed = False
        self._last_2xx: asyncio.TimerHandle | None = None
        self._is_given_up = False
        self._has_2xx = False
        self._minimum = 0
        self._times_too_small = 0
        self._redirections: list[Elsewhere] = []
        self._tried = [Elsewhere(uri)]
        self._routes: list[str] | None = None

    @property
    def remote(self) -> NameAddr:
        """The callee: To of the INVITE."""
        return self.request.to

    async def place(self) -> None:
        """Sends the INVITE; returns at once. Raises `Unreachable` where no way leads there."""
        if self._is_placed:
            return
        if self._given_up():
            raise CallEnded("given up before it was placed")
        self._is_placed = True
        core = self.core
        try:
            asked_for = invitation_of(self.uri, core.extensions)
            identity = core.identity if self.privacy is None else anonymous_identity(core.identity)
            request = core.request("INVITE", asked_for.uri, from_=identity.address)
            endpoint = await core.endpoint_towards(next_hop_of(request))
        except SipParseError as error:
            raise Unreachable(503, f"{self.uri}: {error.reason}") from error
        if endpoint is None:
            self.reason = "unreachable"
            raise Unreachable(503, f"no way leads to {next_hop_of(request)}")
        if self._given_up():
            # Meanwhile, while its way was looked for.
            raise CallEnded("given up before it was placed")
        self.media = self._make_media(endpoint.advertised)
        headers = request.headers
        contact = identity.contact(endpoint, is_secure=wants_sips(request, "route"))
        headers.append("Contact", contact if self.privacy is not None else contact + self.contact_params)
        if self.privacy is not None:
            self.anonymous_contact = contact
            veil(core, request, self.privacy, host_of(next_hop_of(request)))
        for name, value in self._headers:
            headers.append(name, value)
        asked_for.put(request, overrides=False)
        core.add_capabilities(request)
        if self._late_offer is not None:
            # RFC 3262 §5: a reliable provisional response would have the offer, and its PRACK the answer, at once.
            request.headers.set("Supported", ", ".join(name for name in core.extensions if name != "100rel"))
        core.info_packages.put(request)
        ask(request, self.interval)
        if self._ring_for is not None:
            # §13.2.1: whoever is on the way may know too when nobody waits any more.
            headers.append("Expires", max(int(self._ring_for), 1))
            self._alarm = core.loop.call_later(self._ring_for, self._rung_out)
        if self._offers:
            self._offer = Negotiation(self.media).offer()
            put_description(request, self._offer)
        if self.token is not None:
            put_token(request, self.token, core.token())
        self.request = request
        core.standing.add(self)
        self._exchange = core.begin(request, self._responded)

    @property
    def is_under_way(self) -> bool:
        """Whether the INVITE was sent."""
        return self._exchange is not None

    def when_decided(self, decided: Callable[[BaseException | None], None]) -> None:
        """Has somebody told when the call is answered (None), or why it will not be."""
        self._answered.add_done_callback(lambda done: None if done.cancelled() else decided(done.exception()))

    async def answered(self) -> Media:
        """Waits for the answer, placing the call if that was not done; gives the media. Raises `CallFailed`, or `CallEnded` if given up."""
        await self.place()
        await asyncio.shield(self._answered)
        return self.media

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._answer().__await__()

    async def _answer(self) -> Self:
        try:
            await self.answered()
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self

    async def __aenter__(self) -> Self:
        return await self._answer()

    def cancel(self, reason: str | None = None) -> None:
        """Gives the call up: CANCEL (§9.1), with a Reason (RFC 3326) if one is given. Whoever answers all the same is hung up on."""
        if self._answered.done() or self._is_given_up:
            return
        self._is_given_up = True
        if self._exchange is not None:
            self._exchange.cancel(reason)
        self.fail(CallEnded("we gave up"), "we gave up")

    def _given_up(self) -> bool:
        return self._is_given_up

    def close(self) -> None:
        """The program ends: gives the call up if it is not answered, and where somebody works on it waits until that is known there."""
        exchange = self._exchange
        self.cancel()
        if exchange is not None and exchange.was_cancelled and exchange.response is None:
            self.core.spawn(self._known())

    async def _known(self) -> None:
        await self._final

    def _rung_out(self) -> None:
        """§13.2.1: CANCEL when the time is up."""
        self._alarm = None
        if not self._answered.done():
            self._is_given_up = True
            if self._exchange is not None:
                self._exchange.cancel()
            self.fail(CallTimedOut(408, f"not answered within {self._ring_for:g} s"), "not answered in time")

    async def hang_up(self, reason: str | None = None) -> None:
        """Ends the call: BYE where it was answered, CANCEL before."""
        if self._answered.done():
            await super().hang_up(reason)
        else:
            self.cancel(reason)

    # What comes back.

    @property
    def early_sessions(self) -> list[Session]:
        """The sessions of the early dialogs, one for each party that is being alerted."""
        return [session for session in self.sessions.values() if session.dialog.is_early and not session.is_over]

    def _session(self, response: Response) -> Session:
        """The session with the party that sent a response; a new party begins a new dialog (§13.2.2.1, §13.2.2.4)."""
        session = self.sessions.get(response.to_tag)
        if session is None:
            if len(self.sessions) >= MAX_EARLY_DIALOGS and not response.is_success:
                raise SipParseError("Too many early dialogs", "To")
            assert self._exchange is not None, "a response has a request"
            dialog = Dialog.of_client(self._exchange.request, response)
            negotiation = Negotiation(self.media)
            if self._offer is not None:
                negotiation.offer(self._offer)
            session = self.sessions[response.to_tag] = Session(self.core, self, dialog, negotiation)
        return session

    def _responded(self, response: Response, _now: float) -> None:
        if self.on_response is not None:
            self.on_response(response)
        if response.is_provisional:
            if response.status > 100:
                self._progressed(response)
            return
        if not self._final.done():
            self._final.set_result(None)
        if response.is_success:
            self.take_2xx(response)
        elif not self._answered.done() or self._is_given_up:
            self._refused(response)

    def _progressed(self, response: Response) -> None:
        """§13.2.2.1: somebody works on it; perhaps an early dialog, perhaps early media."""
        if self._answered.done():
            return
        try:
            if establishes_dialog(response):
                session = self._session(response)
                if is_reliable(response):
                    assert self._exchange is not None, "a response has a request"
                    if not receive_reliable(session, self._exchange, response, self.reoffer):
                        return
                else:
                    session.learn(response)
                    octets = description_of(response)
                    if octets is not None and session.negotiation.awaits_answer and session.receipt is None:
                        session.negotiation.preview(octets)
        except UNUSABLE:
            # Of no use as a dialog or as media; that it rings is true all the same.
            pass
        if not self.ringing.done():
            self.ringing.set_result(response)

    def take_2xx(self, response: Response) -> None:
        """§13.2.2.4: every 2xx is acknowledged; the first one is the call, any other party is hung up on."""
        assert self._exchange is not None, "a response has a request"
        if not self._has_2xx:
            self._has_2xx = True
            # §13.2.2.4: other parties' early dialogs end when no more 2xx can come.
            self._last_2xx = self.core.loop.call_later(64 * self.core.timers.t1, self._end_early)
        try:
            session = self._session(response)
        except SipParseError as error:
            # Without a Contact there is nowhere to send an ACK or a BYE.
            if self.session is not None:
                return
            self.fail(failure(500, f"unusable 2xx: {error}", response, is_call=True), f"unusable 2xx: {error}")
            return
        if self._late_offer is not None and self._late_offer.holds(session, response):
            return
        is_known = bool(session.acknowledgements)
        fault = session.take_2xx(self._exchange, response)
        if is_known:
            return
        if session.is_over:
            # Its early dialog has ended, and the peer knows it still (§15: a 2xx calls for a BYE); one that the 2xx has crossed will do.
            if not session.is_saying_goodbye:
                session.send_bye()
            if self.session is None:
                self.fail(failure(500, "a session that had ended was accepted", response, is_call=True), "its session had ended")
            return
        chosen = self.session or (self._late_offer and self._late_offer.session)
        if fault is not None or self.is_over or (chosen is not None and chosen is not session):
            self.core.spawn(session.hang_up())
            if fault is not None and self.session is None and chosen in (None, session):
                self.fail(failure(488, fault, response, is_call=True), fault)
            return
        self.session = session
        self.core.standing.discard(self)
        if "p-asserted-identity" in response.headers.keys and self._exchange.flow is not None:
            self.asserted_identity = next(iter(asserted_identities(self.core, response, self._exchange.flow)), None)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if not self._answered.done():
            self._answered.set_result(None)

    def _refused(self, response: Response) -> None:
        """§13.2.2.3: all early dialogs are over; a redirection may be followed (§13.2.2.2)."""
        self._end_early()
        exchange = self._exchange
        assert exchange is not None, "a response has a request"
        if 300 <= response.status < 400 and self._follows:
            self._redirections += self._targets_in(response, exchange)
        minimum = too_small(response, self._minimum)
        if minimum is not None and not self._is_given_up and self._times_too_small < MAX_REDIRECTIONS:
            self._minimum = minimum
            self._times_too_small += 1
            self._placed_again(exchange)
            return
        if self._redirections and not self._is_given_up and response.status < 600:
            self._redirected(exchange, self._redirections.pop(0))
            return
        answer = None if exchange.fault else response
        fault = failure(response.status, response.reason, answer, is_call=True, fault=exchange.fault)
        self.fail(fault, str(fault))

    def _targets_in(self, response: Response, exchange: Exchange) -> list[Elsewhere]:
        """The Contacts of a 3xx, best first, without those that were tried already (§8.1.3.4); of a 305 they are proxies (§21.3.4)."""
        try:
            contacts = [contact for contact in response.contacts if isinstance(contact, NameAddr)]
            contacts.sort(key=lambda contact: 1.0 if contact.q is None else contact.q, reverse=True)
        except SipParseError:
            return []
        if self._routes is None:
            self._routes = exchange.request.headers.texts("Route")
        targets = []
        for contact in contacts:
            uri = contact.uri_text
            if ascii_lower(self.uri[:5]) == "sips:" != ascii_lower(uri[:5]):
                # §8.1.3.4 lets us follow into the clear if the user is told; nobody is asked here, so nothing goes there.
                continue
            target = Elsewhere(exchange.request.uri_text, _proxy_at(uri)) if response.status == 305 else Elsewhere(uri)
            if target not in self._tried and len(self._tried) <= MAX_REDIRECTIONS:
                self._tried.append(target)
                if target.proxy is not None or (response.status != 305 and is_invitation(uri, self.core.extensions)):
                    targets.append(target)
        return targets

    def _placed_again(self, exchange: Exchange) -> None:
        """The same request after a 422, with the interval that was asked for (RFC 4028 §7.3, §7.4)."""
        request = _successor(exchange)
        ask(request, self.interval, self._minimum)
        self.request = request
        self._exchange = self.core.begin(request, self._responded)

    def _redirected(self, exchange: Exchange, target: Elsewhere) -> None:
        """The same request to another target (§8.1.3.4)."""
        request = _successor(exchange)
        # Who is there now asks for itself, and perhaps reaches us at another endpoint.
        for name in ("Authorization", "Proxy-Authorization", "Contact", "P-Preferred-Identity"):
            request.headers.remove(name)
        if self.anonymous_contact is not None:
            request.headers.append("Contact", self.anonymous_contact)
        asked_for = invitation_of(target.uri, self.core.extensions)
        request.uri = asked_for.uri
        asked_for.put(request)
        request.headers.remove("Route")
        for route in reversed([*(self._routes or ()), *([] if target.proxy is None else [target.proxy])]):
            request.headers.prepend("Route", route)
        self.request = request
        self._exchange = self.core.begin(request, self._responded, contact_params=self.contact_params)

    def _end_early(self) -> None:
        for session in list(self.sessions.values()):
            if session is not self.session and session.dialog.is_early:
                session.end("the call was not answered there")

    def end(self, reason: str) -> None:
        """The call is over, or did not come about."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self.core.standing.discard(self)
        was_answered = self.session is not None
        super().end(reason)
        if was_answered:
            self._leave()

    def _leave(self) -> None:
        """After a call that was answered: of all of it, only what late answers need is kept."""
        if self._last_2xx is not None:
            self._last_2xx.cancel()
            self._last_2xx = None
        self._end_early()
        exchange = self._exchange
        transaction = None if exchange is None else exchange.transaction
        sent = {tag: session.acknowledgements[0] for tag, session in self.sessions.items() if session.acknowledgements}
        if transaction is not None and not transaction.is_terminated and all(one.octets for one in sent.values()):
            transaction.user = late = LateAnswers(self.core, sent)
            for overtaken in () if exchange is None else exchange.overtaken:
                overtaken.user = late
            self.sessions.clear()
            # The exchange knows the call by this: parted, both are freed at once.
            self._exchange = None

    def fail(self, error: Exception, reason: str | None = None) -> None:
        """The call does not come about: whoever waits for its answer is told."""
        if not self._answered.done():
            self._answered.set_exception(error)
        self.end(str(error) if reason is None else reason)


def _proxy_at(uri_text: str) -> str | None:
    """The Route value of the proxy that a 305 names; None where that is no SIP URI."""
    try:
        uri = parse_uri(uri_text)
    except SipParseError:
        return None
    return loose_route(str(request_uri(uri))) if isinstance(uri, SipUri) else None


def _successor(exchange: Exchange) -> Request:
    """The same request once more: From, To and Call-ID as before, the number one higher."""
    request = exchange.request.copy()
    request.headers.remove("Via")
    request.headers.set("CSeq", f"{exchange.cseq + 1} INVITE")
    return request
