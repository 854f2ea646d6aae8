"""`ringback answer`: a phone that waits for calls, and for messages (RFC 3261 §13.3, RFC 3428)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ringback.address import host_port
from ringback.cli.agent_options import AgentOptions, agent_options, sip_uri
from ringback.cli.body import body_fields, body_text
from ringback.cli.duration import duration_between
from ringback.cli.fault import Fault
from ringback.cli.in_call import party, stay
from ringback.cli.outcome import DONE, EXIT_STATUS
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.incoming_call import IncomingCall
    from ringback.agent.instant_message import IncomingMessage
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.live_state import LiveState

_PORT = 5060
_BUSY = 486
_DECLINE = 603
# What a caller hears whom nobody answers because the phone is put away (RFC 3261 §21.4.18).
_UNAVAILABLE = 480


@click.command(short_help="Wait for calls, and answer them.", epilog=EXIT_STATUS)
@click.option("--after", default="0s", show_default=True, type=duration_between(0), help="How long to ring first.")
@click.option("--decline", "is_declining", is_flag=True, help="Decline calls instead: 603.")
@click.option("--busy", "is_busy", is_flag=True, help="Be busy instead: 486.")
@click.option("--redirect", "elsewhere", metavar="URI", multiple=True, help="Send callers there instead: 302; may be repeated, best first.")
@click.option("--hang-up-after", type=duration_between(0), help="Hang up so long after the answer.  [default: the caller does, or Ctrl-C]")
@click.option("--once", "is_once", is_flag=True, help="End when the first call is over.")
@click.option("--register", "registers", is_flag=True, help="Register --user meanwhile, so that calls to it come here.")
@click.option("--expires", default="1h", show_default=True, type=duration_between(1, 2**32 - 1), help="How long to register for at a time.")
@agent_options
def answer(
    after: float,
    is_declining: bool,
    is_busy: bool,
    elsewhere: tuple[str, ...],
    hang_up_after: float | None,
    is_once: bool,
    registers: bool,
    expires: float,
    options: AgentOptions,
) -> None:
    """Wait for calls and answer them, until Ctrl-C; messages that come are printed.

    Without --register it listens on port 5060, so that callers find it by its address. There is no sound yet: calls are silent.
    """
    from ringback.cli.agent_run import run_agent
    from ringback.cli.registered import Registered

    if is_declining + is_busy + bool(elsewhere) > 1:
        raise Fault("--decline, --busy and --redirect exclude each other")
    if registers and options.user is None:
        raise Fault("whom to register? --user alice@example.org")
    refusal = _DECLINE if is_declining else _BUSY if is_busy else None
    phone = _Phone(after, refusal, [str(sip_uri(uri, "--redirect")) for uri in elsewhere], hang_up_after)

    async def act(agent: UserAgent, state: LiveState) -> int:
        over = phone.begin(state, is_once)
        try:
            if not registers:
                _say_where(agent, state)
                return await over
            async with Registered(agent, state, options, expires=int(expires)) as registered:
                done, _ = await asyncio.wait([registered.refused, over], return_when=asyncio.FIRST_COMPLETED)
                return next(iter(done)).result()
        finally:
            await phone.put_away()

    listen = None if registers else options.everywhere(_PORT)
    run_agent(options, act, interrupted=DONE, listen=listen, on_call=phone.take, on_message=phone.read)


def _say_where(agent: UserAgent, state: LiveState) -> None:
    places: dict[str, list[str]] = {}
    for endpoint in agent.endpoints:
        places.setdefault(host_port(endpoint.host, endpoint.port), []).append(endpoint.transport.lower())
    shown = ", ".join(f"{place} {' '.join(transports)}" for place, transports in places.items())
    state.tell("waiting", f"waiting for calls at {shown}", listening=list(places))
    state.show(agent, "waiting for calls; Ctrl-C ends")


class _Phone:
    """Does with every call what it was told to."""

    def __init__(self, after: float, refusal: int | None, elsewhere: list[str], hang_up_after: float | None) -> None:
        self._after = after
        self._refusal = refusal
        self._elsewhere = elsewhere
        self._hang_up_after = hang_up_after
        self._calls: set[IncomingCall] = set()
        self._is_once = False
        self._state: LiveState
        self._over: asyncio.Future[int]

    def begin(self, state: LiveState, is_once: bool) -> asyncio.Future[int]:
        """Takes calls from now on. Gives a future that is done, with the exit status, when no more are wanted."""
        self._state = state
        self._is_once = is_once
        self._over = asyncio.get_running_loop().create_future()
        return self._over

    async def take(self, call: IncomingCall) -> None:
        """One call, from its INVITE to its end."""
        state = self._state
        caller = party(call)
        if self._is_once and (self._calls or self._over.done()):
            await call.decline(_BUSY)
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
                await call.answer()
                is_answered = True
                await stay(call, state, self._hang_up_after, caller=call.remote.uri_text)
        finally:
            state.drop(call)
            self._calls.discard(call)
            if not is_answered:
                state.tell("unanswered", f"call from {caller} not answered: {printable(call.reason or '')}", why=call.reason)
            if self._is_once and not self._over.done():
                self._over.set_result(DONE)

    def read(self, message: IncomingMessage) -> None:
        """Prints a message that comes."""
        sender = message.sender
        uri = printable(sender.uri_text)
        who = f"{printable(sender.display_name)} <{uri}>" if sender.display_name else uri
        text = body_text(message.text.encode() if message.text else message.body)
        fields = body_fields(message.body, message.content_type)
        self._state.tell("message", f"message from {who}: {text}", "bold", sender=sender.uri_text, name=sender.display_name, **fields)

    async def put_away(self) -> None:
        """Hangs up what was answered, and says to everybody else that nobody is there."""
        from ringback.cli.agent_run import hang_up

        for call in list(self._calls):
            await (hang_up(call) if call.is_answered else call.decline(_UNAVAILABLE))
