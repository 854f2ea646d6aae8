"""Provisional responses that are repeated until the caller acknowledges them: the callee's side (RFC 3262 §3, §5)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ringback.agent.call.negotiation import description_of, put_description
from ringback.agent.inspection import Refusal
from ringback.agent.refusal import UNUSABLE, refusal_of
from ringback.agent.usage import leave
from ringback.dialog.dialog import Dialog
from ringback.message.fields.rack import RAck
from ringback.message.message import Request, Response
from ringback.transaction.events import RequestReceived
from ringback.transaction.transaction import ServerTransaction

if TYPE_CHECKING:
    from ringback.agent.call.session import Session
    from ringback.agent.core import AgentCore

TAG = "100rel"
"""The option tag of RFC 3262 §8.1."""

REMINDER = 150.0
"""Seconds between provisional responses that get through: two and a half minutes (§3)."""

# §3: the first number lies from 1 to 2**31 - 1.
_FIRST_NUMBERS = 2**31 - 1


def is_required_by(invite: Request) -> bool:
    """Whether the caller insists on reliable provisional responses (§3)."""
    return "require" in invite.headers.keys and TAG in invite.require


def is_understood_by(invite: Request) -> bool:
    """Whether the caller may be sent reliable provisional responses (§3)."""
    return TAG in invite.supported or is_required_by(invite)


class ReliableResponses:
    """The reliable provisional responses to one INVITE: one is out at a time, the next one waits for its PRACK.

    `promise` makes a future that fails when the call ends. `give_up(refusal, why)` refuses the INVITE: no PRACK came within 64*T1 seconds,
    or one that was no good.
    """

    __slots__ = ("_alarm", "_core", "_end", "_give_up", "_interval", "_number", "_promise", "_transaction", "_waiting", "outstanding")

    def __init__(
        self,
        core: AgentCore,
        transaction: ServerTransaction,
        promise: Callable[[], asyncio.Future[Any]],
        give_up: Callable[[Refusal, str], None],
    ) -> None:
        self._core = core
        self._transaction = transaction
        self._promise = promise
        self._give_up = give_up
        self._number = secrets.randbelow(_FIRST_NUMBERS)
        self._alarm: asyncio.TimerHandle | None = None
        self._interval = 0.0
        self._end = 0.0
        self._waiting: list[asyncio.Future[Any]] = []
        self.outstanding: Response | None = None
        """The response whose PRACK has not come."""

    def send(self, response: Response) -> None:
        """Sends a response until its PRACK comes. None other may be outstanding: `settled` says when."""
        assert self.outstanding is None, "one at a time (§3)"
        self._number += 1
        response.headers.append("Require", TAG)
        response.headers.append("RSeq", self._number)
        self.outstanding = response
        core = self._core
        core.respond(self._transaction, response)
        self._interval = core.timers.t1
        self._end = core.loop.time() + 64 * core.timers.t1
        self._alarm = core.loop.call_later(self._interval, self._again)

    def _again(self) -> None:
        core = self._core
        now = core.loop.time()
        assert self.outstanding is not None, "the alarm goes with the response"
        if now >= self._end:
            self.outstanding = self._alarm = None
            self._give_up(Refusal(504, "No PRACK Came"), "no PRACK came")
            return
        core.respond(self._transaction, self.outstanding)
        # §3: unlike those of a 2xx the intervals are not bounded by T2.
        self._interval *= 2
        self._alarm = core.loop.call_later(min(self._interval, self._end - now), self._again)

    async def settled(self) -> None:
        """Waits until no PRACK is missing; raises `CallEnded` where the call ends first."""
        while self.outstanding is not None:
            promise = self._promise()
            self._waiting.append(promise)
            await promise

    async def described(self) -> None:
        """Waits until no description of ours is unacknowledged: before that no 2xx may be sent (§3, §5)."""
        if self.outstanding is not None and self.outstanding.body:
            await self.settled()

    def stop(self) -> None:
        """The final response goes out: no more repetitions, but a PRACK is still taken (§3)."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def is_met_by(self, rack: RAck) -> bool:
        """Whether a PRACK with this RAck acknowledges what is outstanding (§3)."""
        response = self.outstanding
        return response is not None and rack == RAck(self._number, response.cseq.number, response.cseq.method)

    def acknowledge(self) -> None:
        """The PRACK has come."""
        self.stop()
        self.outstanding = None
        waiting, self._waiting = self._waiting, []
        for promise in waiting:
            if not promise.done():
                promise.set_result(None)

    def refuse(self, refusal: Refusal, why: str) -> None:
        """Refuses the INVITE."""
        self._give_up(refusal, why)


def receive_prack(session: Session, event: RequestReceived, _now: float) -> None:
    """Takes a PRACK (§3), with the answer to our offer or with an offer, which is answered in its 2xx (§5)."""
    core = session.core
    request = event.request
    provisionals = session.provisionals
    refusal = _mismatch(provisionals, request)
    if refusal is not None or provisionals is None or event.transaction is None:
        core.refuse(event, refusal or Refusal(481))
        return
    negotiation = session.negotiation
    response = core.response(request, 200)
    fault = None
    is_answer = negotiation.awaits_answer and provisionals.outstanding is not None and bool(provisionals.outstanding.body)
    try:
        octets = description_of(request)
        if octets is not None:
            negotiation.receive(octets)
            if not is_answer:
                # §3 wants a 2xx here: what cannot be done is refused stream by stream.
                put_description(response, negotiation.answer_or_refuse())
        elif is_answer:
            fault = "the PRACK has no answer to our offer"
        session.learn(request)
    except UNUSABLE as error:
        if not is_answer:
            core.refuse(event, refusal_of(error, core))
            return
        fault = f"the answer in the PRACK is unusable: {error}"
    core.respond(event.transaction, response)
    provisionals.acknowledge()
    if fault is not None:
        negotiation.roll_back()
        provisionals.refuse(Refusal(488), fault)


def _mismatch(provisionals: ReliableResponses | None, prack: Request) -> Refusal | None:
    rack = prack.value("RAck")
    if rack is None:
        return Refusal(400, "Missing RAck")
    return None if provisionals is not None and provisionals.is_met_by(rack) else Refusal(481)


class Remnant:
    """What is left of a refused call whose last provisional response was not acknowledged: for 64*T1 seconds its PRACK gets a 200 (§3)."""

    __slots__ = ("_alarm", "_core", "_dialog", "_provisionals")

    def __init__(self, core: AgentCore, dialog: Dialog, provisionals: ReliableResponses) -> None:
        self._core = core
        self._dialog = dialog
        self._provisionals = provisionals
        dialog.begin(self)
        core.dialogs.add(dialog)
        self._alarm = core.loop.call_later(64 * core.timers.t1, self.close)

    def receive_request(self, event: RequestReceived, _now: float) -> bool:
        """Takes the PRACK; for all else the dialog is gone."""
        if event.request.method != "PRACK" or _mismatch(self._provisionals, event.request) is not None:
            return False
        assert event.transaction is not None, "a PRACK has a transaction"
        self._core.respond(event.transaction, self._core.response(event.request, 200))
        self.close()
        return True

    def close(self) -> None:
        """Ends: there is nobody to say goodbye to."""
        self._alarm.cancel()
        leave(self._core, self._dialog, self)

    def dialog_ended(self, _reason: str) -> None:
        """The dialog is gone."""
        self.close()
