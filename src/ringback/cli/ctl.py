"""`ringback ctl`: what a running server does, and how it is steered, over its control socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from ringback.cli.fault import Fault

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Refusal(Fault):
    """The server understood and said no."""

    exit_code = 1


class Asking(NamedTuple):
    """How a command of `ctl` reaches the server, and how it says what it heard."""

    file: Path | None
    data: str | None
    socket: Path | None
    is_json: bool

    def ask(self, method: str, /, **params: Any) -> Any:
        """The result of a method; `Fault` where no server runs, exit status 1 where it refuses."""
        from ringback.server.operation.control import ControlError, NoServer, ask

        try:
            return asyncio.run(ask(self.path(), method, **params))
        except NoServer as error:
            raise Fault(str(error)) from None
        except ControlError as error:
            raise _Refusal(str(error)) from None

    def path(self) -> Path:
        """Where the control socket is: as told, else where `serve` with the same options has it."""
        from ringback.server.config import ConfigError
        from ringback.server.config.file import read_config
        from ringback.server.operation.control import socket_path

        if self.socket is not None:
            return self.socket
        try:
            # A fault elsewhere in the file is no reason not to watch the server that runs.
            path = socket_path(read_config(self.file, {} if self.data is None else {"data": self.data}, only=("data", "control")))
        except ConfigError as error:
            raise Fault(str(error)) from None
        if path is None:
            raise Fault("a server with this configuration has no control socket; name it: --socket PATH, or [control] socket = …")
        return path

    def show(self, result: Any, render: Callable[[Any], None]) -> None:
        """Says the result: rendered for a person, or as it came."""
        if self.is_json:
            click.echo(json.dumps(result, indent=2))
        else:
            render(result)


def _where(command: _Command) -> _Command:
    """The options that say which server: the same as those of `serve`."""
    for option in (
        click.option("--json", "is_json", is_flag=True, help="Print the server's answer as JSON."),
        click.option("--socket", type=click.Path(path_type=Path), metavar="PATH", help="The control socket itself."),
        click.option("--data", metavar="FOLDER", help="The server's data.  [default: ~/.local/share/ringback]"),
        click.option("--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="The server's TOML file."),
    ):
        command = option(command)
    return command


_limit = click.option("--limit", type=click.IntRange(0, 10_000), default=1_000, show_default=True, help="The most that are listed.")


@click.group(short_help="Watch and steer a running server.")
def ctl() -> None:
    """Watch and steer a server that runs. Exit status: 0 done, 1 the server refused, 2 no server, or a wrong option."""


@ctl.command(short_help="What is served, and how much is under way.")
@_where
def status(**where: Any) -> None:
    """What the server serves, since when, how much is under way, and what was counted."""
    from ringback.cli import ctl_tables

    asking = Asking(**where)
    asking.show(asking.ask("status"), ctl_tables.status)


@ctl.command(short_help="Who is registered.")
@click.argument("text", default="")
@_limit
@_where
def registrations(text: str, limit: int, **where: Any) -> None:
    """Who is registered; with TEXT, whose address, contact or source has it in it."""
    from ringback.cli import ctl_tables

    asking = Asking(**where)
    asking.show(asking.ask("registrations", contains=text, limit=limit), ctl_tables.registrations)


@ctl.command(short_help="End registrations of a user.")
@click.argument("address", metavar="USER@DOMAIN")
@click.argument("contact", default="")
@_where
def unregister(address: str, contact: str, **where: Any) -> None:
    """End every registration of a user, or the one with this CONTACT. A phone that refreshes registers anew: a password keeps it out."""
    from ringback.cli import ctl_tables

    asking = Asking(**where)
    asking.show(asking.ask("unregister", aor=address, contact=contact), ctl_tables.removed)


@ctl.command(short_help="The calls being set up.")
@_limit
@_where
def calls(limit: int, **where: Any) -> None:
    """The calls being set up: who calls whom, and where it rings. A proxy does not hear of a call that is up until it ends."""
    from ringback.cli import ctl_tables

    asking = Asking(**where)
    asking.show(asking.ask("calls", limit=limit), ctl_tables.calls)


@ctl.command(short_help="The transactions, by their states.")
@click.option("--method", default="", metavar="METHOD", help="Of this method alone, such as INVITE.")
@click.option("--limit", type=click.IntRange(0, 10_000), default=0, show_default=True, help="How many are listed one by one.")
@_where
def transactions(method: str, limit: int, **where: Any) -> None:
    """How many transactions are in which state."""
    from ringback.cli import ctl_tables

    asking = Asking(**where)
    asking.show(asking.ask("transactions", method=method, limit=limit), ctl_tables.transactions)


@ctl.command(short_help="Whom the server is connected to.")
@click.argument("text", default="")
@click.option("--transport", default="", metavar="TRANSPORT", help="tcp, tls, ws or wss alone.")
@_limit
@_where
def connections(text: str, transport: str, limit: int, **where: Any) -> None:
    """Whom the server is connected to; with TEXT, whose address has it in it."""
    from ringback.cli import ctl_tables

    asking = Asking(**where)
    asking.show(asking.ask("connections", transport=transport, contains=text, limit=limit), ctl_tables.connections)


@ctl.command(short_help="The trunks of the gateways, and which of them are up.")
@_where
def gateways(**where: Any) -> None:
    """The trunks of the gateways. One that rests has failed a call and is left out for a while; a silent one does not answer OPTIONS."""
    from ringback.cli import ctl_tables

    asking = Asking(**where)
    asking.show(asking.ask("gateways"), ctl_tables.gateways)


@ctl.command("reload", short_help="Read the configuration again.")
@_where
def reload_(**where: Any) -> None:
    """Read again what can change while the server runs. Where something of it is wrong, all stays as it was, and the exit status is 1."""
    from ringback.cli import ctl_tables

    asking = Asking(**where)
    asking.show(asking.ask("reload"), ctl_tables.reloaded)


@ctl.command(short_help="Finish what is under way, then end.")
@click.option("--stay", is_flag=True, help="Do not end then: wait for `resume`, or for another drain.")
@_where
def drain(stay: bool, **where: Any) -> None:
    """Refuse what is new with 503, finish what is under way, then end as on SIGTERM. `ringback ctl status` shows how far it is."""
    asking = Asking(**where)
    after = "it stays until resumed" if stay else "then it ends"
    asking.show(asking.ask("drain", stay=stay), lambda result: click.echo(f"draining: {result['under_way']} requests under way, {after}"))


@ctl.command(short_help="End a drain before its time.")
@_where
def resume(**where: Any) -> None:
    """Serve everything again."""
    asking = Asking(**where)
    asking.show(asking.ask("resume"), lambda _: click.echo("serving"))


@ctl.command("log-level", short_help="Show or set what is logged.")
@click.argument("level", required=False, type=click.Choice(["debug", "info", "warning", "error"]))
@_where
def log_level(level: str | None, **where: Any) -> None:
    """Which lines are logged from now on; without LEVEL, which are now. After a restart the configuration's holds."""
    asking = Asking(**where)
    asking.show(asking.ask("log-level", level=level), lambda result: click.echo(result["level"]))
