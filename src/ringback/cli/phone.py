"""The phone of `ringback answer`: what it does with calls, messages and REFERs that come (RFC 3261 §13.3, RFC 3428, RFC 3515)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ringback.cli.body import body_fields, body_text
from ringback.cli.in_call import party, shown, stay
from ringback.cli.outcome import DONE, as_fields, explain
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.call.call import Call
    from ringback.agent.call.incoming_call import IncomingCall
    from ringback.agent.instant_message import IncomingMessage
    from ringback.agent.transfer.referral import Referral
    from ringback.cli.live_state import LiveState

BUSY = 486
DECLINE = 603
# What a caller hears whom nobody answers because the phone is put away (RFC 3261 §21.4.18).
_UNAVAILABLE = 480


class Phone:
    """Does with every call what it was told to."""

    def __init__(self, after: float, refusal: int | None, elsewhere: list[str], hang_up_after: float | None) -> None:
        self._after = after
        self._refusal = refusal
        self._elsewhere = elsewhere
        self._hang_up_after = hang_up_after
        self._calls: set[Call] = set()
        self._is_once = False
        # What comes while only some of the addresses are listened to has to wait.
        self._is_begun = asyncio.Event()
        self._state: LiveState
        self._over: asyncio.Future[int]

    def begin(self, state: LiveState, is_once: bool) -> asyncio.Future[int]:
        """Takes calls from now on. Gives a future that is done, with the exit status, when no more are wanted."""
        self._state = state
        self._is_once = is_once
        self._over = asyncio.get_running_loop().create_future()
        self._is_begun.set()
        return self._over

    async def take(self, call: IncomingCall) -> None:
        """One call, from its INVITE to its end."""
        await self._is_begun.wait()
        state = self._state
        caller = party(call)
        if self._is_once and (self._calls or self._over.done()):
            await call.decline(BUSY)
            return
        self._calls.add(call)
        is_answered = False
        state.tell("incoming", f"call from {caller}", "bold", caller=call.remote.uri_text, name=call.remote.display_name)
        try:
            if self._after or not (self._refusal or self._elsewhere):
                state.show(call, f"ringing: {caller}", spins=True)
                await call.ring()
            await asyncio.sleep(self._after)
            if self._refusal is not None:
                await call.decline(self._refusal)
            elif self._elsewhere:
                await call.redirect(*self._elsewhere)
            else:
                await _answer(call)
                is_answered = True
                await stay(call, state, self._hang_up_after, caller=call.remote.uri_text)
        finally:
            state.drop(call)
            self._calls.discard(call)
            if not is_answered:
                state.tell("unanswered", f"call from {caller} not answered: {printable(call.reason or '')}", why=call.reason)
            if self._is_once and not self._over.done():
                self._over.set_result(DONE)

    async def follow(self, referral: Referral) -> None:
        """Calls whom a REFER names, and stays in that call."""
        from ringback.agent.errors import RequestFailed

        await self._is_begun.wait()
        state = self._state
        asker = printable((referral.referred_by or referral.request.from_).uri_text)
        target = printable(referral.refer_to.uri_text)
        state.tell("referred", f"{asker} asks to call {target}", "bold", asker=asker, target=referral.refer_to.uri_text)
        if referral.method != "INVITE" or not referral.is_sip:
            referral.decline()
            state.tell("unreached", f"declined: {target} is nobody to be called", target=referral.refer_to.uri_text)
            return
        call = referral.follow()
        self._calls.add(call)
        state.show(call, f"calling {target}", spins=True)
        try:
            await call.answered()
            await stay(call, state, self._hang_up_after, uri=referral.refer_to.uri_text)
        except RequestFailed as error:
            state.fail(f"{target}: {explain(error)}", "unreached", target=referral.refer_to.uri_text, **as_fields(error))
        finally:
            state.drop(call)
            self._calls.discard(call)

    async def read(self, message: IncomingMessage) -> None:
        """Prints a message that comes."""
        await self._is_begun.wait()
        sender = message.sender
        text = body_text(message.text.encode() if message.text else message.body)
        fields = body_fields(message.body, message.content_type)
        self._state.tell(
            "message", f"message from {shown(sender)}: {text}", "bold", sender=sender.uri_text, name=sender.display_name, **fields
        )

    async def put_away(self) -> None:
        """Hangs up what was answered, and says to everybody else that nobody is there."""
        from ringback.agent.call.incoming_call import IncomingCall
        from ringback.cli.agent_run import hang_up

        for call in list(self._calls):
            if isinstance(call, IncomingCall) and not call.is_answered:
                await call.decline(_UNAVAILABLE)
            else:
                await hang_up(call)


async def _answer(call: IncomingCall) -> None:
    """Answers. A caller that hangs up as soon as it has acknowledged that was answered all the same; else `CallEnded`."""
    from ringback.agent.errors import CallEnded

    try:
        await call.answer()
    except CallEnded:
        if call.session is None or call.session.dialog.is_early:
            raise
