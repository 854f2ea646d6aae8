"""`ringback refer`: asking a phone to call somebody else, and hearing what comes of it (RFC 3515)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ringback.cli.agent_options import AgentOptions, agent_options
from ringback.cli.duration import duration_between
from ringback.cli.outcome import DONE, EXIT_STATUS, REFUSED, SILENT
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.transfer.sipfrag import StatusLine
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.live_state import LiveState


@click.command(short_help="Ask a phone to call somebody.", epilog=EXIT_STATUS)
@click.argument("uri")
@click.argument("target")
@click.option("--patience", default="3m", show_default=True, type=duration_between(1, 86_400), help="How long to wait for the outcome.")
@click.option("--silent", "is_silent", is_flag=True, help="Ask it not to tell what comes of it; that it agrees is all then.")
@agent_options
def refer(uri: str, target: str, patience: float, is_silent: bool, options: AgentOptions) -> None:
    """Ask the phone at URI to call TARGET (REFER), and print how far it gets.

    URI and TARGET are SIP URIs, or names or numbers alone in the domain of --user. Many phones do that only for who is known to them.
    """
    from ringback.cli.agent_run import run_agent

    asked, target = options.address(uri, "URI"), options.address(target, "TARGET")

    async def act(agent: UserAgent, state: LiveState) -> int:
        from ringback.agent.errors import TransferFailed

        def on_progress(status: StatusLine) -> None:
            _say(state, status, target, "dim")

        reference = agent.refer(asked, target, reports=not is_silent, patience=patience, on_progress=on_progress)
        state.tell("referring", f"asking {printable(asked)} to call {printable(target)}", uri=asked, target=target)
        state.show(reference, f"waiting for {printable(asked)} to call {printable(target)}", spins=True)
        try:
            result = await reference
        except TransferFailed as error:
            if error.is_refused:
                raise
            is_ours = error.status == 408 and error.reason.startswith("no ")
            line = printable(error.reason if is_ours else f"{error.status} {error.reason}")
            state.fail(f"{printable(target)}: {line}", status=error.status, reason=error.reason, target=target)
            return SILENT if error.status == 408 else REFUSED
        finally:
            state.drop(reference)
        _say(state, result, asked if is_silent else target, "green")
        return DONE

    run_agent(options, act, says_goodbye=False)


def _say(state: LiveState, status: StatusLine, who: str, style: str) -> None:
    line = f"{printable(who)}: {status.status} {printable(status.reason)}"
    state.tell("done" if status.is_final else "progress", line, style, status=status.status, reason=status.reason)
