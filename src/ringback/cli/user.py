"""`ringback user`: the accounts of a server; one that runs sees a change within a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ringback.cli.fault import Fault

if TYPE_CHECKING:
    from ringback.server.config import Config
    from ringback.server.store import Store
    from ringback.server.users import UserTable

_Command = TypeVar("_Command", bound=Callable[..., Any])
# As in server.users, which is imported only once a command runs.
_ALGORITHMS = ("MD5", "SHA-256", "SHA-512-256")


def _where(command: _Command) -> _Command:
    """The options that say whose accounts: the same as those of `serve`."""
    command = click.option("--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="The server's TOML file.")(command)
    return click.option("--data", metavar="FOLDER", help="The server's data.  [default: ~/.local/share/ringback]")(command)


def _secret(command: _Command) -> _Command:
    """The options of a password."""
    command = click.option(
        "--minimum",
        type=click.Choice(_ALGORITHMS),
        help="The weakest algorithm this user may prove the password with; weaker ones are not even kept.",
    )(command)
    return click.option(
        "--password-stdin", "is_piped", is_flag=True, help="Read the password from standard input, one line, also from a terminal."
    )(command)


@click.group(short_help="Add, list and remove the users of a server; forward their calls.")
def user() -> None:
    """The accounts of a server. One that runs sees a change within a second."""


@user.command(short_help="Make an account.")
@click.argument("address", metavar="USER@DOMAIN")
@_secret
@_where
def add(address: str, minimum: str | None, is_piped: bool, file: Path | None, data: str | None) -> None:
    """Make an account; the password is asked for twice. Only hashes of it are kept."""
    with _table(file, data) as (table, config):
        name, domain = _parts(address, config)
        table.add(name, domain, _password(is_piped), minimum)
    click.echo(f"{name}@{domain} may register")


@user.command(short_help="Give a user a new password.")
@click.argument("address", metavar="USER@DOMAIN")
@_secret
@_where
def password(address: str, minimum: str | None, is_piped: bool, file: Path | None, data: str | None) -> None:
    """Give a user a new password; the old one is void at once. Without --minimum every algorithm counts from now on."""
    with _table(file, data) as (table, config):
        name, domain = _parts(address, config, is_known=True)
        table.change_password(name, domain, _password(is_piped), minimum)
    click.echo(f"{name}@{domain} has a new password")


@user.command(short_help="End an account.")
@click.argument("address", metavar="USER@DOMAIN")
@_where
def remove(address: str, file: Path | None, data: str | None) -> None:
    """End an account. What it has registered lasts until it expires."""
    with _table(file, data) as (table, config):
        name, domain = _parts(address, config, is_known=True)
        table.remove(name, domain)
    click.echo(f"{name}@{domain} is no user any more")


@user.command("list", short_help="Print every account.")
@_where
def list_(file: Path | None, data: str | None) -> None:
    """Print every account on a line of its own, with the weakest algorithm it may use, if that is not any."""
    with _table(file, data) as (table, _):
        for one in table.list():
            click.echo(f"{one.name}@{one.domain}" + (f"  at least {one.minimum}" if one.minimum is not None else ""))


@user.command(short_help="Send a user's calls elsewhere.")
@click.argument("address", metavar="USER@DOMAIN")
@click.argument("target", metavar="[URI]", required=False)
@click.option("--always", is_flag=True, help="Every call, and no phone rings.")
@click.option("--busy", is_flag=True, help="Calls that find the user busy.")
@click.option(
    "--no-answer",
    "ring_for",
    is_flag=False,
    flag_value=0.0,
    type=float,
    metavar="SECONDS",
    help="Calls that nobody answers in so many seconds.",
)
@click.option("--unregistered", is_flag=True, help="Calls when no phone is registered.")
@click.option("--off", is_flag=True, help="No more: under the conditions named, or under none.")
@_where
def forward(
    address: str,
    target: str | None,
    always: bool,
    busy: bool,
    ring_for: float | None,
    unregistered: bool,
    off: bool,
    file: Path | None,
    data: str | None,
) -> None:
    """Send a user's calls to URI under one condition or several; print what then holds. Without any, print what holds."""
    from ringback.server.targets.call_forwarding import CONDITIONS, ForwardingTable

    asked = {"always": always, "busy": busy, "no_answer": ring_for is not None, "unregistered": unregistered}
    conditions = [condition for condition, is_asked in asked.items() if is_asked]
    if target is not None and (off or not conditions):
        raise Fault("a URI goes with --always, --busy, --no-answer SECONDS or --unregistered")
    if target is None and conditions and not off:
        raise Fault("name the URI that calls shall go to, such as sip:bob@example.org, or --off")
    with _store(file, data) as (store, config):
        table = ForwardingTable(store)
        name, domain = _parts(address, config, is_known=True)
        if off and not conditions:
            table.clear(name, domain)
        for condition in conditions:
            if target is None:
                table.clear(name, domain, condition)
            else:
                table.forward(name, domain, condition, target, ring_for)
        holding = table.of(name, domain)
    for condition in CONDITIONS:
        onward = getattr(holding, condition)
        if onward is not None:
            after = f" (after {holding.ring_for:g} s)" if condition == "no_answer" else ""
            click.echo(f"{condition.replace('_', ' ')}{after}: {onward}")
    if holding == type(holding)():
        click.echo(f"calls for {name}@{domain} are not forwarded")


@contextmanager
def _table(file: Path | None, data: str | None) -> Iterator[tuple[UserTable, Config]]:
    """The accounts where `serve` with the same options has them; whatever goes wrong is a `Fault` of one line."""
    from ringback.server.users import UserTable

    with _store(file, data) as (store, config):
        yield UserTable(store), config


@contextmanager
def _store(file: Path | None, data: str | None) -> Iterator[tuple[Store, Config]]:
    """The store of `serve` with the same options, and what it is told; whatever goes wrong is a `Fault` of one line."""
    from ringback.server.config import ConfigError
    from ringback.server.config.file import read_config
    from ringback.server.store import Store, StoreError
    from ringback.server.users import UserError

    try:
        config = read_config(file, {} if data is None else {"data": data})
        if config.data is None:
            raise Fault("--data :memory: keeps no users; name a folder")
        store = Store(config.data, is_shared=True)
        try:
            yield store, config
        finally:
            store.close()
    except (ConfigError, StoreError, UserError) as error:
        raise Fault(str(error)) from None


def _parts(address: str, config: Config, *, is_known: bool = False) -> tuple[str, str]:
    """User and domain of `alice@example.org`, also as a SIP URI; the domain must be one the configuration serves."""
    from ringback.server.config import ConfigError, domain_name
    from ringback.server.users import checked_name

    name, at, host = address.removeprefix("sip:").rpartition("@")
    if not at:
        raise Fault(f"{ascii(address)[:60]} is no USER@DOMAIN, such as alice@example.org")
    try:
        domain = domain_name(host)
    except ConfigError as error:
        raise Fault(error.reason) from None
    if config.domains and domain not in config.domains and not is_known:
        raise Fault(f"{domain} is not among the domains served: {', '.join(config.domains)}")
    return checked_name(name), domain


def _password(is_piped: bool) -> str:
    """The password: asked for twice on a terminal, else the first line of standard input."""
    if not is_piped and sys.stdin.isatty():
        answer: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
        return answer
    try:
        line = sys.stdin.readline(65_536)
    except UnicodeDecodeError:
        raise Fault("a password is text in UTF-8") from None
    return line.rstrip("\r\n")
