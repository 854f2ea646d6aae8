"""`ringback answer`: a phone that waits for calls, and for messages (RFC 3261 §13.3, RFC 3428)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ringback.address import host_port
from ringback.cli.agent_options import AgentOptions, agent_options, sip_uri
from ringback.cli.duration import duration_between
from ringback.cli.fault import Fault
from ringback.cli.outcome import DONE, EXIT_STATUS
from ringback.cli.phone import BUSY, DECLINE, Phone

if TYPE_CHECKING:
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.live_state import LiveState

_PORT = 5060


@click.command(short_help="Wait for calls, and answer them.", epilog=EXIT_STATUS)
@click.option("--after", default="0s", show_default=True, type=duration_between(0), help="How long to ring first.")
@click.option("--decline", "is_declining", is_flag=True, help="Decline calls instead: 603.")
@click.option("--busy", "is_busy", is_flag=True, help="Be busy instead: 486.")
@click.option("--redirect", "elsewhere", metavar="URI", multiple=True, help="Send callers there instead: 302; may be repeated, best first.")
@click.option("--hang-up-after", type=duration_between(0), help="Hang up so long after the answer.  [default: the caller does, or Ctrl-C]")
@click.option("--once", "is_once", is_flag=True, help="End when the first call is over.")
@click.option("--register", "registers", is_flag=True, help="Register --user meanwhile, so that calls to it come here.")
@click.option("--obey", "obeys", is_flag=True, help="Call whom a REFER names. Anybody may send one, so this is for trials.")
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
    obeys: bool,
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
    refusal = DECLINE if is_declining else BUSY if is_busy else None
    phone = Phone(after, refusal, [str(sip_uri(uri, "--redirect")) for uri in elsewhere], hang_up_after)

    async def act(agent: UserAgent, state: LiveState) -> int:
        over = phone.begin(state, is_once)
        try:
            if not registers:
                _say_where(agent, state)
                return await _unless_cancelled(over)
            async with Registered(agent, state, options, expires=int(expires)) as registered:
                return await _unless_cancelled(registered.refused, over)
        finally:
            await phone.put_away()

    listen = None if registers else options.everywhere(_PORT)
    run_agent(options, act, listen=listen, on_call=phone.take, on_message=phone.read, on_refer=phone.follow if obeys else None)


async def _unless_cancelled(*statuses: asyncio.Future[int]) -> int:
    """The exit status that is there first; Ctrl-C is a good end too."""
    try:
        done, _ = await asyncio.wait(statuses, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        return DONE
    return next(iter(done)).result()


def _say_where(agent: UserAgent, state: LiveState) -> None:
    places: dict[str, list[str]] = {}
    for endpoint in agent.endpoints:
        places.setdefault(host_port(endpoint.host, endpoint.port), []).append(endpoint.transport.lower())
    shown = ", ".join(f"{place} {' '.join(transports)}" for place, transports in places.items())
    state.tell("waiting", f"waiting for calls at {shown}", listening=list(places))
    state.show(agent, "waiting for calls; Ctrl-C ends")
