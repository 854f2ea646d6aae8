"""`ringback message`: an instant message outside of calls (RFC 3428)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ringback.cli.agent_options import AgentOptions, agent_options
from ringback.cli.duration import duration_between
from ringback.cli.fault import Fault
from ringback.cli.outcome import DONE, EXIT_STATUS
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.live_state import LiveState

# A choice, far above what one MESSAGE may have (RFC 3428 §8): a file named by mistake ends here.
_LARGEST = 60_000
_ACCEPTED = 202


@click.command(short_help="Send a text message.", epilog=EXIT_STATUS)
@click.argument("uri")
@click.argument("text", required=False)
@click.option("--content-type", metavar="TYPE/SUBTYPE", help="What the text is.  [default: text/plain]")
@click.option("--expires", type=duration_between(1, 2**32 - 1), help="After which time it is of no use any more.")
@agent_options
def message(uri: str, text: str | None, content_type: str | None, expires: float | None, options: AgentOptions) -> None:
    """Send a text message. Without TEXT, or with -, the text is read from standard input.

    URI is a SIP URI, or a name or number alone in the domain of --user.
    """
    from ringback.cli.agent_run import run_agent

    recipient = options.address(uri, "URI")
    content = _typed() if text is None or text == "-" else text

    async def act(agent: UserAgent, state: LiveState) -> int:
        state.show(content, f"sending to {printable(recipient)}", spins=True)
        octets: str | bytes = content if content_type is None else content.encode()
        response = await agent.message(recipient, octets, content_type, expires=None if expires is None else int(expires))
        state.drop(content)
        line = f"{response.status} {printable(response.reason)}"
        if response.status == _ACCEPTED:
            line += ": taken, to be delivered later"
        state.tell("sent", line, "green", uri=recipient, status=response.status, reason=response.reason)
        return DONE

    run_agent(options, act, says_goodbye=False)


def _typed() -> str:
    """What standard input has."""
    if sys.stdin.isatty():
        click.echo("The message, ended by Ctrl-D:", err=True)
    try:
        text = sys.stdin.read(_LARGEST + 1)
    except UnicodeDecodeError:
        raise Fault("a message is text in UTF-8") from None
    if len(text) > _LARGEST:
        raise Fault(f"a message has {_LARGEST} characters at most")
    return text.removesuffix("\n")
