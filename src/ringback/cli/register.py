"""`ringback register`: a binding that stands until Ctrl-C, or a look at those that stand (RFC 3261 §10.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ringback.cli.agent_options import AgentOptions, agent_options, sip_uri
from ringback.cli.duration import duration_between, duration_text
from ringback.cli.fault import Fault
from ringback.cli.outcome import DONE, EXIT_STATUS
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.live_state import LiveState


@click.command(short_help="Register at a server until Ctrl-C.", epilog=EXIT_STATUS)
@click.option("--expires", default="1h", show_default=True, type=duration_between(1, 2**32 - 1), help="How long to ask for at a time.")
@click.option("--registrar", metavar="URI", help="Where to register.  [default: the domain of --user]")
@click.option("--q", type=click.FloatRange(0, 1), help="How much this place is preferred to others, from 0 to 1.")
@click.option("--query", "is_query", is_flag=True, help="Only print where the user is registered.")
@click.option("--remove", "is_removal", is_flag=True, help="Only remove every binding of the user, those of other phones too.")
@agent_options
def register(expires: float, registrar: str | None, q: float | None, is_query: bool, is_removal: bool, options: AgentOptions) -> None:
    """Register --user at the server of its domain and stay registered until Ctrl-C, which removes the binding.

    A refresh that gets no answer is tried again after pauses that grow; one that is refused for good ends the command.
    """
    from ringback.cli.agent_run import run_agent
    from ringback.cli.registered import Registered

    if options.user is None:
        raise Fault("whom to register? --user alice@example.org")
    if is_query and is_removal:
        raise Fault("--query and --remove exclude each other")
    where = None if registrar is None else _registrar(registrar)

    async def act(agent: UserAgent, state: LiveState) -> int:
        if is_query:
            return await _query(agent, state, where)
        if is_removal:
            return await _remove(agent, state, where)
        async with Registered(agent, state, options, registrar=where, expires=int(expires), q=q) as registered:
            try:
                return await registered.refused
            except asyncio.CancelledError:
                return DONE

    run_agent(options, act, says_goodbye=not (is_query or is_removal))


def _registrar(text: str) -> str:
    uri = sip_uri(text, "--registrar")
    if uri.user is not None:
        raise Fault(f"--registrar: {printable(text)} names a user; a registrar is a host")
    return str(uri)


async def _query(agent: UserAgent, state: LiveState, registrar: str | None) -> int:
    bindings = await agent.bindings(registrar)
    for binding in bindings:
        line = printable(binding.uri_text)
        if binding.expires is not None:
            line += f"  for another {duration_text(binding.expires)}"
        if binding.q is not None:
            line += f"  q={binding.q:g}"
        state.tell("binding", line, contact=binding.uri_text, expires=binding.expires, q=binding.q)
    if not bindings:
        state.tell("unbound", f"{printable(agent.identity.aor)} is registered nowhere", aor=agent.identity.aor)
    return DONE


async def _remove(agent: UserAgent, state: LiveState, registrar: str | None) -> int:
    await agent.remove_bindings(registrar)
    state.tell("unregistered", f"{printable(agent.identity.aor)} is registered nowhere any more", aor=agent.identity.aor)
    return DONE
