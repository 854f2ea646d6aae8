"""Being asked to contact somebody: REFER, the server's side (RFC 3515, RFC 3892, RFC 4488, RFC 4538, RFC 5589).

    async def on_refer(referral):
        if referral.call is not None:                    # the peer of a call transfers us
            async with referral.follow() as call:        # 202, NOTIFY 100; INVITE … NOTIFY 200
                await call.ended()

What the program neither follows nor accepts is declined.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ringback.agent.call.outgoing_call import OutgoingCall
from ringback.agent.call.session import Session
from ringback.agent.errors import CallEnded, CallFailed, RequestFailed
from ringback.agent.event.event_package import PENDING, Body
from ringback.agent.event.incoming_subscription import IncomingSubscription
from ringback.agent.inspection import Refusal
from ringback.agent.transfer.referred_by import put_token, token_of
from ringback.agent.transfer.sipfrag import SIPFRAG, TRYING, StatusLine, fields_of_dialog, status_line_of
from ringback.agent.uri_request import UriRequest, request_of
from ringback.agent.usage import usages_of
from ringback.dialog.dialog import Dialog
from ringback.message.errors import SipParseError
from ringback.message.fields.event import Event
from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, TelUri
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.call.call import Call
    from ringback.agent.core import AgentCore
    from ringback.agent.user_agent import UserAgent

OnRefer = Callable[["Referral"], Awaitable[None]]
"""A program's way with a REFER: it follows, accepts or declines; returning without any of that declines."""

EXPIRES = 300
"""Seconds that the implicit subscription lasts: longer than the request may take (RFC 3515 §3.4). Timer C gives a call 180 s."""

# RFC 3515 names no bounds. Choices: a party is not transferred as often in one conversation, and nobody asks for so much at once.
MAX_DEPTH = 20
MAX_REFERRALS = 100

# RFC 3515 §3.10: no two notifications within a second.
_PAUSE = 1.0

# What the subscription is of cannot be renewed: the REFER's own request has one end.
_NORESOURCE = "noresource"


class Referral:
    """One REFER of a peer's, not yet answered when the program gets it."""

    def __init__(self, agent: UserAgent, event: RequestReceived, dialog: Dialog | None) -> None:
        """Raises `SipParseError` where it is malformed; then nothing was changed."""
        core = self.core = agent.core
        request = self.request = event.request
        self.dialog = dialog
        """The dialog it came in; None where it came by itself."""
        self.refer_to: NameAddr = request.value("Refer-To")
        """Whom to contact."""
        self.referred_by: NameAddr | None = request.value("Referred-By")
        """Who asks for it, as they say themselves (RFC 3892)."""
        self.asked_for: UriRequest = request_of(self.refer_to.uri_text, core.extensions)
        """What is asked for: method, Request-URI, header fields."""
        self.is_sip = isinstance(self.refer_to.uri, SipUri | TelUri)
        """Whether it is to be contacted by SIP; what is not can be accepted, and its outcome reported."""
        self.call: Call | None = _call_of(agent, request, dialog)
        """The call whose peer asks: the REFER came within it, or names its dialog (Target-Dialog)."""
        self.depth = 1
        """How many referrals led to the call in which this one came, this one included."""
        if isinstance(self.call, OutgoingCall) and self.call.referral is not None:
            self.depth += self.call.referral.depth
        self.is_silent = _wants_silence(request)
        """Whether nobody wants to hear what comes of it (RFC 4488)."""
        self.is_accepted = False
        self.is_declined = False
        self._agent = agent
        self._event = event
        self._subscription: IncomingSubscription | None = None
        self._last_report = float("-inf")
        self._latest: StatusLine | None = None
        self._followed: OutgoingCall | None = None
        self._names_call = False
        # What is told of a success besides its status.
        self._outcome = b""
        self._is_answered = False
        # Made before anything is sent, for what is malformed refuses the request.
        self._new_dialog = Dialog.of_server(request, core.response(request, 202)) if dialog is None else None
        # RFC 3515 §2.4.2: a 202 before the REFER's transaction times out at its sender, whoever has still to be asked.
        self._alarm: asyncio.TimerHandle | None = core.loop.call_later(32 * core.timers.t1, self._take_time)

    @property
    def method(self) -> str:
        """The method of the request that is asked for: INVITE unless the URI says otherwise."""
        return self.asked_for.method

    # What the program does.

    def accept(self) -> None:
        """202: we do what is asked, and will `report` what comes of it. A first notification says 100 Trying."""
        if self.is_accepted or self.is_declined:
            return
        self.is_accepted = True
        if self._subscription is not None:
            self._subscription.approve()
        elif not self._is_answered:
            self._answer()
            self._subscribe()
            self.report(100)

    def decline(self, status: int = 603, reason: str | None = None) -> None:
        """Refuses: 603 Decline, 403 Forbidden … Does nothing where it was accepted or declined before."""
        if not 400 <= status <= 699:
            raise ValueError(f"no refusal: {status}")
        if self.is_accepted or self.is_declined:
            return
        self.is_declined = True
        if self._subscription is not None:
            # RFC 3515 §2.4.5, §2.4.7: approval was denied after the 202.
            response = Response(status, reason)
            self._subscription.terminate("rejected", _body(status_line_of(response)))
        elif not self._is_answered:
            self._is_answered = True
            self._disarm()
            self.core.refuse(self._event, Refusal(status, reason))
        self._finish()

    def follow(self, *, names_call: bool = False, **options: Any) -> OutgoingCall:
        """Accepts, and gives the call that is asked for, to be awaited or entered as any other; what comes of it is reported.

        With `names_call` the referrer is told the From, To, Call-ID, CSeq and Contact of the 2xx (RFC 3515 §2.4.5). Who knows them may
        replace or join the call, so that they are for one that shall (§5.3). `options` are those of `UserAgent.call`. `ValueError` where
        no call is asked for.
        """
        if self.method != "INVITE" or not self.is_sip:
            raise ValueError(f"no call is asked for, but {self.method} {self.asked_for.uri}")
        headers = [*options.pop("headers", ()), *self._referred_by()]
        call = self._agent.call(self.refer_to.uri_text, headers=headers, **options)
        call.referral = self
        call.token = token_of(self.request)
        call.on_response = self._progressed
        call.when_decided(self._concluded)
        if self.call is not None:
            self.call.transferred = call
        self._followed = call
        self._names_call = names_call
        self.accept()
        return call

    async def send(self) -> Response:
        """Accepts, sends the request that is asked for, whatever its method, and reports and gives its final response (no INVITE)."""
        if self.method == "INVITE" or not self.is_sip:
            raise ValueError(f"no such request is asked for, but {self.method} {self.asked_for.uri}")
        self.accept()
        core = self.core
        request = core.request(self.method, self.asked_for.uri)
        self.asked_for.put(request)
        for name, value in self._referred_by():
            request.headers.append(name, value)
        token = token_of(self.request)
        if token is not None:
            put_token(request, token, core.token())
        exchange = await core.ask(request)
        assert exchange.response is not None, "the exchange has ended"
        self.report(exchange.response.status, exchange.response.reason)
        return exchange.response

    def report(self, status: int, reason: str | None = None) -> None:
        """Tells the referrer how far it has come; a status from 200 is the end of it. A 1xx within a second of another is not told."""
        line = status_line_of(Response(status, reason))
        subscription = self._subscription
        now = self.core.loop.time()
        if line.is_final:
            self._finish()
        elif now - self._last_report < _PAUSE or line == self._latest:
            return
        self._latest = line
        self._last_report = now
        if subscription is None:
            return
        if line.is_final:
            # Departs from RFC 3515 §3.10: the result is told at once, for the referrer holds a call meanwhile.
            subscription.terminate(_NORESOURCE, _body(line, self._outcome))
        else:
            subscription.notify(_body(line))

    def _give_up(self) -> None:
        if self in self._agent.referrals:
            self.report(503)

    # How that is said.

    def _referred_by(self) -> list[tuple[str, object]]:
        """RFC 3892 §2.2: Referred-By as it came."""
        text = self.request.headers.text("Referred-By")
        return [] if text is None else [("Referred-By", text)]

    def _answer(self) -> None:
        self._is_answered = True
        self._disarm()
        core = self.core
        if self.dialog is not None:
            try:
                self.dialog.refresh_target(self.request)
            except SipParseError:
                # The peer stays where it was.
                pass
        dialog = self._new_dialog or self.dialog
        assert dialog is not None, "the REFER came within a dialog or began one"
        response = core.response(self.request, 202, tag=dialog.local_tag)
        response.headers.carry(self.request.headers, "record-route")
        response.headers.append("Contact", core.identity.contact(self._event.flow.endpoint))
        if self.is_silent:
            response.headers.append("Refer-Sub", "false")
        core.add_capabilities(response)
        assert self._event.transaction is not None, "a REFER has a transaction"
        core.respond(self._event.transaction, response)

    def _subscribe(self) -> None:
        """RFC 3515 §2.4.4: the subscription that the REFER has implied."""
        if self.is_silent:
            return
        dialog = self._new_dialog or self.dialog
        assert dialog is not None, "the REFER came within a dialog or began one"
        self._subscription = IncomingSubscription(
            self.core,
            dialog,
            self._event_of_notifications(),
            expires=EXPIRES,
            content_types=(SIPFRAG,),
            body=lambda subscription: _body(self._latest or TRYING),
        )

    def _event_of_notifications(self) -> Event:
        """RFC 3515 §2.4.6: with the REFER's number from the second one within a dialog on."""
        if self.dialog is None:
            return Event("refer")
        if self.call is not None and not self.call.was_referred:
            self.call.was_referred = True
            return Event("refer")
        return Event("refer", {"id": str(self.request.cseq.number)})

    def _take_time(self) -> None:
        """Nobody has decided yet: 202, and a subscription that waits for it."""
        self._answer()
        self._subscribe()
        if self._subscription is not None:
            self._subscription.state = PENDING
        self.report(100)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def begin(self) -> None:
        """Counts as one of which nothing final has come yet, until something has."""
        self._agent.referrals.add(self)
        self.core.standing.add(self)

    def _finish(self) -> None:
        self._agent.referrals.discard(self)
        self.core.standing.discard(self)

    def close(self) -> None:
        """The program ends: what was not answered is declined, a call that still rings is given up."""
        self.decline(503)
        if self._followed is not None:
            self._followed.cancel()
        # At once, before the subscription says goodbye by itself.
        self.report(487)
        if self._subscription is not None:
            self.core.spawn(self._subscription.done())

    # What comes of a call.

    def _progressed(self, response: Response) -> None:
        if response.is_provisional and response.status > 100:
            self.report(response.status, response.reason)
        elif response.is_success and self._names_call and not self._outcome:
            self._outcome = fields_of_dialog(response)

    def _concluded(self, error: BaseException | None) -> None:
        """The call was answered, or will not come about."""
        if error is None:
            self.report(200)
        elif isinstance(error, CallFailed):
            # The reason phrase of an exception may be one of ours; the status' own says enough.
            self.report(error.status)
        else:
            self.report(487)

    # The program's coroutine.

    async def attend(self, on_refer: OnRefer) -> None:
        """Runs it; whatever becomes of it, the referrer gets an answer and a result."""
        try:
            await on_refer(self)
        except (CallEnded, RequestFailed):
            pass
        except Exception as error:  # noqa: BLE001 - whatever the program's own code raises
            self.decline(500)
            self.core.loop.call_exception_handler({"message": "the coroutine of a REFER failed", "exception": error})
        finally:
            self.decline()
            if self._followed is None or not self._followed.is_under_way:
                # Nothing has come of it that was reported.
                self._give_up()


def _body(line: StatusLine, outcome: bytes = b"") -> Body:
    return Body(SIPFRAG, line.to_bytes() + outcome)


def _wants_silence(request: Request) -> bool:
    refer_sub = request.value("Refer-Sub")
    return refer_sub is not None and ascii_lower(refer_sub.value) == "false"


def _call_of(agent: UserAgent, request: Request, dialog: Dialog | None) -> Call | None:
    """The call of the dialog that a REFER came in, or that its Target-Dialog names (RFC 4538 §4: one that matches nothing is ignored)."""
    if dialog is None:
        target = request.value("Target-Dialog")
        dialog = None if target is None else agent.core.dialogs.find(target.call_id, target.local_tag, target.remote_tag)
        if dialog is None:
            return None
    return next((usage.call for usage in usages_of(dialog) if isinstance(usage, Session)), None)


def receive_refer(agent: UserAgent, event: RequestReceived, _now: float) -> None:
    """Takes a REFER, within a dialog or outside (RFC 3515 §2.4.2)."""
    core = agent.core
    request = event.request
    if request.headers.count("Refer-To") != 1:
        core.refuse(event, Refusal(400, "One Refer-To Expected"))
        return
    if request.headers.count("Referred-By") > 1:
        core.refuse(event, Refusal(400, "More Than One Referred-By"))
        return
    if len(agent.referrals) >= MAX_REFERRALS:
        core.refuse(event, Refusal(503, "Too Many Referrals", (("Retry-After", 10),)))
        return
    referral = Referral(agent, event, core.dialogs.of_request(request) if request.to_tag is not None else None)
    if referral.depth > MAX_DEPTH:
        # Not 482, which would end the call without a word (RFC 5057 §5.1).
        referral.decline(403, "Transferred Too Often")
        return
    referral.begin()
    on_refer = agent.on_refer if referral.call is None else referral.call.on_transfer or agent.on_refer
    core.spawn(referral.attend(on_refer))


def refuse_subscription(core: AgentCore, event: RequestReceived, _now: float) -> None:
    """RFC 3515 §2.4.4: nothing but a REFER begins a subscription to what comes of one."""
    core.refuse(event, Refusal(403))


async def decline_referral(referral: Referral) -> None:
    """Goes nowhere: what becomes of a REFER unless the program says otherwise."""
    referral.decline()


async def follow_transfer(referral: Referral) -> None:
    """Goes where the peer of an answered call sends us, and talks there until that ends; any other REFER is declined (RFC 5589 §6).

    RFC 5589 §12: the peer of a call that stands is who may transfer it; nobody else's REFER makes us call anybody.
    """
    call = referral.call
    if call is None or not call.is_answered or referral.method != "INVITE" or not referral.is_sip:
        referral.decline()
        return
    async with referral.follow() as new:
        await new.ended()
