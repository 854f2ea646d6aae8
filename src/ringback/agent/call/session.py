"""The INVITE usage of a dialog: what was agreed upon, and every request that may come within it (RFC 3261 §12.2, §14, §15, RFC 5057)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.address import Flow
from ringback.agent.call.acceptance import Acceptance
from ringback.agent.call.acknowledgement import Acknowledgement
from ringback.agent.call.info import packages_in, receive_info
from ringback.agent.call.modification import receive_reinvite, receive_update
from ringback.agent.call.negotiation import Negotiation, description_of, put_description
from ringback.agent.call.prack import Receipt, is_settled
from ringback.agent.call.reason import in_words, reasons_of
from ringback.agent.call.reliable import ReliableResponses, receive_prack
from ringback.agent.call.session_timer import SessionTimer, take_2xx
from ringback.agent.refusal import UNUSABLE
from ringback.agent.usage import leave, usages_of
from ringback.dialog.dialog import TARGET_REFRESH, Dialog
from ringback.dialog.usage import DIALOG, USAGE, effect_of
from ringback.message.message import Request, Response
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.call.call import Call
    from ringback.agent.core import AgentCore
    from ringback.agent.exchange import Exchange


class Session:
    """One party's side of a call with one peer. It ends once; `call.session_ended` hears of it."""

    __slots__ = (
        "_accepted",
        "_waiting",
        "acceptances",
        "acknowledgements",
        "call",
        "core",
        "dialog",
        "exchange",
        "goodbye",
        "is_over",
        "negotiation",
        "peer_allows",
        "peer_info_packages",
        "peer_supports",
        "provisionals",
        "receipt",
        "timer",
        "turn",
    )

    def __init__(self, core: AgentCore, call: Call, dialog: Dialog, negotiation: Negotiation) -> None:
        self.core = core
        self.call = call
        self.dialog = dialog
        self.negotiation = negotiation
        self.acceptances: tuple[Acceptance, ...] = ()
        """The 2xx of ours whose ACKs have not come yet, one per INVITE."""
        self.acknowledgements: tuple[Acknowledgement, ...] = ()
        """Our ACKs of the peer's 2xx, as long as those may come again."""
        self.exchange: Exchange | None = None
        """The re-INVITE or UPDATE of ours that is under way."""
        self.goodbye: asyncio.Task[Exchange] | None = None
        """Our latest BYE."""
        self.turn: asyncio.Lock | None = None
        """Held by whoever modifies the session; made when first needed."""
        self.provisionals: ReliableResponses | None = None
        """Our reliable provisional responses to the peer's INVITE; made when first needed."""
        self.receipt: Receipt | None = None
        """What we received reliably before the 2xx to our latest INVITE."""
        self.timer: SessionTimer | None = None
        """When the session expires unless it is refreshed; made when first needed."""
        self.is_over = False
        self._waiting: list[asyncio.Future[None]] = []
        self._accepted = 0
        self.peer_allows: frozenset[str] | None = None
        """The methods the peer says it takes (Allow); None where it has said nothing."""
        self.peer_supports: frozenset[str] = frozenset()
        self.peer_info_packages: frozenset[str] | None = None
        """The info packages the peer takes (Recv-Info); None where it knows of none, or has not said."""
        dialog.begin(self)
        core.dialogs.add(dialog)
        # Where the peer is, is known by the time that a request has to go there: the ACK of its 2xx, a BYE.
        core.look_up(dialog.next_hop)

    def learn(self, message: Request | Response) -> None:
        """Takes the peer's Allow and Supported, where a message has them (§20.5, §20.37)."""
        headers = message.headers
        if "allow" in headers.keys:
            self.peer_allows = frozenset(headers.values("allow"))
        if "supported" in headers.keys:
            self.peer_supports = frozenset(headers.values("supported"))
        if "recv-info" in headers.keys:
            self.peer_info_packages = packages_in(headers)

    def allows(self, method: str) -> bool:
        """Whether the peer takes a method, as far as it has said."""
        return self.peer_allows is None or method in self.peer_allows

    # Requests of ours.

    def request(self, method: str) -> Request:
        """The next request within the dialog; one that refreshes the target gets its Contact when it is sent."""
        request = self.dialog.request(method)
        core = self.core
        if self.call.privacy is not None:
            request.headers.append("Privacy", self.call.privacy)
            if method in ("INVITE", "UPDATE"):
                request.headers.append("Contact", self.call.anonymous_contact or "")
        elif core.software is not None:
            request.headers.append("User-Agent", core.software)
        if core.extensions and method not in TARGET_REFRESH:
            # RFC 4028 §7.1: in each request; those that refresh the target say more of what we can do.
            request.headers.append("Supported", ", ".join(core.extensions))
        return request

    def contact(self, flow: Flow) -> str:
        """Our Contact in a response within the dialog."""
        call = self.call
        return call.anonymous_contact or self.core.identity.contact(flow.endpoint, is_secure=self.dialog.is_secure) + call.contact_params

    async def ask(self, request: Request) -> Exchange:
        """Sends a request within the dialog and waits for its final response; what that ends has ended when this returns (RFC 5057 §5)."""
        exchange = await self.core.ask(request, dialog=self.dialog)
        self.judge(request.method, exchange)
        return exchange

    def judge(self, method: str, exchange: Exchange) -> None:
        """Ends what a failure response ends: the session, or the whole dialog with every usage of it (RFC 5057 §5.1)."""
        response = exchange.response
        assert response is not None, "the exchange has ended"
        if response.status < 300 or self.is_over:
            return
        effect = effect_of(response.status, method)
        if response.status == 481 and not self._is_known_to_peer:
            # Departs from RFC 3261 §12.2.1.2: our request has overtaken the response that makes the dialog, whose ACK will say how it is.
            return
        reason = f"{response.status} to our {method}"
        if effect == DIALOG:
            for usage in usages_of(self.dialog):
                usage.dialog_ended(reason)
        elif effect == USAGE:
            # §12.2.1.2: that is how the dialog of an INVITE ends, in case the peer still has it.
            if response.status in (408, 481) and self.may_send_bye:
                self.send_bye()
            self.end(reason)

    @property
    def _is_known_to_peer(self) -> bool:
        """Whether the peer must have the dialog: the callee has made it, the caller has acknowledged it or sent a request within it."""
        dialog = self.dialog
        if dialog.owns_call_id:
            return True
        number = self.call.request.cseq.number
        if dialog.remote_seq is not None and dialog.remote_seq > number:
            return True
        return not (dialog.is_early or any(one.cseq == number for one in self.acceptances))

    @property
    def may_send_bye(self) -> bool:
        """Whether a BYE is allowed yet: always to the caller, to the callee only when the dialog is confirmed (§15)."""
        return self.dialog.owns_call_id or not self.dialog.is_early

    def send_bye(self, reason: str | None = None) -> asyncio.Task[Exchange]:
        """Sends BYE; its task ends with the exchange."""
        request = self.request("BYE")
        if reason is not None:
            request.headers.append("Reason", reason)
        self.goodbye = self.core.spawn(self.core.ask(request, dialog=self.dialog))
        return self.goodbye

    @property
    def is_saying_goodbye(self) -> bool:
        """Whether a BYE of ours is on its way."""
        return self.goodbye is not None and not self.goodbye.done()

    async def hang_up(self, reason: str | None = None) -> None:
        """Ends the session with a BYE (§15.1.1); waits for its answer. The callee's waits for the ACK first, as §15 demands."""
        if self.is_over:
            return
        await self.settled()
        if self.has_ended():
            return
        bye = self.send_bye(reason)
        self.end("we hung up")
        await asyncio.shield(bye)

    def has_ended(self) -> bool:
        """`is_over`, looked at again after a wait."""
        return self.is_over

    async def settled(self) -> None:
        """Waits for the ACKs of our 2xx, if any are missing: until they come, or until the session ends for want of one."""
        while self.acceptances:
            waiting = self.core.loop.create_future()
            self._waiting.append(waiting)
            await waiting

    def take_2xx(self, exchange: Exchange, response: Response) -> str | None:
        """Takes a 2xx to our INVITE or UPDATE and acknowledges it (§13.2.2.4); gives the fault where its body is no good.

        An INVITE's offer that nothing can be done with is answered, every stream refused, and it is for the caller to hang up.
        """
        if exchange.request.method == "INVITE":
            number = exchange.cseq
            for acknowledgement in self.acknowledgements:
                if acknowledgement.cseq == number:
                    acknowledgement.send()
                    return None
        negotiation = self.negotiation
        fault = None
        answer = None
        try:
            if self.dialog.is_early and exchange.request.method == "INVITE":
                self.dialog.confirm(response)
            else:
                self.dialog.refresh_target(response)
            self.learn(response)
            octets = description_of(response)
            if self.is_over or is_settled(self, exchange.cseq):
                # §13.2.1: what follows a reliable answer is ignored.
                pass
            elif negotiation.awaits_answer and exchange.request.body:
                if octets is None and not negotiation.has_preview:
                    fault = "the 2xx has no answer to our offer"
                else:
                    negotiation.receive(octets or b"")
            elif octets is not None and not exchange.request.body:
                negotiation.receive(octets)
                answer = negotiation.answer_or_refuse()
                if all(medium.is_rejected for medium in answer.media):
                    fault = "nothing in the offer of the 2xx can be done"
        except UNUSABLE as error:
            fault = f"the 2xx is unusable: {error}"
        if not (self.is_over or self.dialog.is_early or fault):
            take_2xx(self, response)
        if exchange.request.method == "INVITE":
            ack = self.dialog.ack(exchange.cseq)
            ack.headers.carry(exchange.request.headers, "authorization", "proxy-authorization")
            if answer is not None:
                put_description(ack, answer)
            # §17.1.1.2, RFC 6026 §7.2: for 64*T1 a 2xx may come again, also while a later INVITE is under way.
            recent = self.core.loop.time() - 64 * self.core.timers.t1
            former = tuple([one for one in self.acknowledgements if one.time > recent])
            self.acknowledgements = (*former, Acknowledgement(self.core, ack, self.dialog.next_hop))
        return fault

    # Requests of the peer's.

    def receive_request(self, event: RequestReceived, now: float) -> bool:
        """Takes a request within the dialog; False where it is for another usage."""
        method = event.request.method
        if method == "ACK":
            self._acknowledged(event.request)
            return True
        receive = _WITHIN.get(method)
        if receive is not None:
            receive(self, event, now)
            return True
        if method in ("NOTIFY", "SUBSCRIBE"):
            return False
        self.core.serve(event, now)
        return True

    def _acknowledged(self, ack: Request) -> None:
        number = ack.cseq.number
        for acceptance in self.acceptances:
            if acceptance.cseq == number:
                acceptance.acknowledge(ack)
                return

    def receive_bye(self, event: RequestReceived, now: float) -> None:
        """§15.1.2: 200 whatever else is under way; what is pending is answered 487."""
        transaction = event.transaction
        assert transaction is not None, "a BYE has a transaction"
        self.core.respond(transaction, self.core.response(event.request, 200))
        reasons = reasons_of(event.request)
        if reasons:
            self.call.end_reasons = reasons
        self.end(in_words("the peer hung up", reasons))

    # Accepting an INVITE of the peer's.

    def accept(self, event: RequestReceived, response: Response, settled: Callable[[str | None], None]) -> None:
        """Sends a 2xx to the peer's INVITE and repeats it until its ACK comes.

        `settled(None)` says that the session stands; else it is over, for the reason given.
        """
        assert event.transaction is not None, "an INVITE has a transaction"

        self._accepted = number = response.cseq.number
        has_offer = self.negotiation.awaits_answer
        is_first = event.request.to_tag is None

        def on_end(ack: Request | None) -> None:
            self.acceptances = tuple([one for one in self.acceptances if one.cseq != number])
            if ack is None:
                # RFC 6141 §5.4: who has sent a later re-INVITE has had the 2xx before it.
                fault = None if self._accepted > number and not (is_first or has_offer) else "no ACK came"
            else:
                fault = self.take_answer(ack, "the ACK") if has_offer else None
            if fault is not None and not self.is_over:
                # §13.3.1.4: the dialog is confirmed all the same, so it is a BYE that ends it.
                self.send_bye()
                self.end(fault)
            if not self.acceptances:
                self._settle()
            settled(fault)

        self.acceptances += (Acceptance(self.core, event.transaction, response, on_end),)

    def take_answer(self, message: Request | Response, name: str) -> str | None:
        """Takes the answer in the message that must have it, an ACK or a 2xx to a PRACK; the fault where that is no good."""
        try:
            octets = description_of(message)
            if octets is None:
                return f"{name} has no answer to our offer"
            self.negotiation.receive(octets)
        except UNUSABLE as error:
            return f"the answer in {name} is unusable: {error}"
        return None

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    # The end.

    def end(self, reason: str) -> None:
        """The session is over: nothing more is repeated, the dialog forgets it, the call hears of it."""
        if self.is_over:
            return
        self.is_over = True
        for acceptance in self.acceptances:
            acceptance.abandon()
        self.acceptances = ()
        if self.timer is not None:
            self.timer.stop()
        self._settle()
        leave(self.core, self.dialog, self)
        self.core.ended_dialogs.add(self.dialog, self.core.loop.time(), by_our_bye=self.goodbye is not None)
        self.call.session_ended(self, reason)

    def close(self) -> None:
        """Hangs up, in a task of the core's; what is not answered is cancelled or declined by its call."""
        self.core.spawn(self.call.hang_up() if self.dialog.is_early else self.hang_up())

    def dialog_ended(self, reason: str) -> None:
        """The dialog is gone, and the session with it."""
        self.end(reason)


_WITHIN: dict[str, Callable[[Session, RequestReceived, float], None]] = {
    "INVITE": receive_reinvite,
    "UPDATE": receive_update,
    "PRACK": receive_prack,
    "BYE": Session.receive_bye,
    "INFO": receive_info,
}
