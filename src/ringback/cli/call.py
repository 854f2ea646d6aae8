"""`ringback call`: a call placed, followed and hung up (RFC 3261 §13.2, §9.1, §15)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ringback.cli.agent_options import AgentOptions, agent_options
from ringback.cli.duration import duration_between
from ringback.cli.in_call import stay
from ringback.cli.outcome import DONE, EXIT_STATUS, INTERRUPTED
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.call.outgoing_call import OutgoingCall
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.live_state import LiveState
    from ringback.message.message import Response


@click.command(short_help="Call somebody.", epilog=EXIT_STATUS)
@click.argument("uri")
@click.option("--ring-for", type=duration_between(1, 3600), help="Give up where nobody has answered by then.")
@click.option("--hang-up-after", type=duration_between(0), help="Hang up so long after the answer.  [default: Ctrl-C hangs up]")
@click.option("--late-offer", is_flag=True, help="Have the other side make the offer: send an INVITE without a session description.")
@click.option("--anonymous", "is_anonymous", is_flag=True, help="Do not say who calls.")
@click.option("--no-redirect", is_flag=True, help="Follow no redirection.")
@agent_options
def call(
    uri: str,
    ring_for: float | None,
    hang_up_after: float | None,
    late_offer: bool,
    is_anonymous: bool,
    no_redirect: bool,
    options: AgentOptions,
) -> None:
    """Call somebody; Ctrl-C gives up while it rings, and hangs up afterwards.

    URI is a SIP URI, or a name or number alone in the domain of --user. There is no sound yet: the call is agreed upon and stands, silent.
    """  # fmt: skip
    from ringback.cli.agent_run import run_agent

    callee = options.address(uri, "URI")

    async def act(agent: UserAgent, state: LiveState) -> int:
        placed = agent.call(callee, offers=not late_offer, follows=not no_redirect, ring_for=ring_for, anonymous=is_anonymous)
        return await _follow(placed, state, hang_up_after)

    run_agent(options, act)


async def _follow(placed: OutgoingCall, state: LiveState, hang_up_after: float | None) -> int:
    """From the INVITE to the end of the call. Raises `CallFailed` where it does not come about."""
    callee = printable(placed.uri)
    state.tell("calling", f"calling {callee}", uri=placed.uri)
    state.show(placed, f"calling {callee}; Ctrl-C gives up", spins=True)
    placed.on_response = _Progress(state, placed).take
    try:
        await placed.answered()
    except asyncio.CancelledError:
        placed.cancel()
        state.tell("cancelled", "given up", "yellow", uri=placed.uri)
        return INTERRUPTED
    finally:
        state.drop(placed)
    try:
        await stay(placed, state, hang_up_after, uri=placed.uri)
    except asyncio.CancelledError:
        pass
    return DONE


class _Progress:
    """Says each provisional response once, however often it comes."""

    def __init__(self, state: LiveState, placed: OutgoingCall) -> None:
        self._state = state
        self._placed = placed
        self._latest: tuple[int, str, str | None] | None = None

    def take(self, response: Response) -> None:
        """Hears a response to the INVITE."""
        said = (response.status, response.reason, response.to_tag)
        if not 101 <= response.status <= 199 or said == self._latest:
            return
        self._latest = said
        line = printable(f"{response.status} {response.reason}")
        self._state.tell("progress", line, status=response.status, reason=response.reason)
        self._state.show(self._placed, f"{line} at {printable(self._placed.uri)}; Ctrl-C gives up", spins=True)
