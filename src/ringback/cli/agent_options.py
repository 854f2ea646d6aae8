"""The options that every command of the user agent has: who we are, by which way, and what is to be seen of it."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ringback.cli.fault import Fault, os_fault
from ringback.cli.tls_options import TLS_OPTIONS, contexts
from ringback.cli.transports import TRANSPORTS
from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri, TelUri, parse_uri
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.user_agent import UserAgent
    from ringback.stack import Observer
    from ringback.transport.tls import Contexts

_Command = TypeVar("_Command", bound=Callable[..., Any])

_NOBODY = "ringback"
_LONGEST_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """What was said on the command line."""

    user: SipUri | None
    name: str | None
    account: str | None
    password: str | None
    proxy: str | None
    transport: str | None
    listen: tuple[str, ...]
    is_traced: bool
    is_json: bool
    tls: Contexts | None = None
    instance: str | None = None
    asked_for: set[str] = field(default_factory=set)
    """The kinds of WebSocket that URIs asked for."""

    @property
    def aor(self) -> str:
        """The address-of-record; without --user one at an address of this machine."""
        if self.user is not None:
            return str(self.user)
        from ringback.address import host_port
        from ringback.transport.interfaces import local_addresses

        host = next(iter(local_addresses("0.0.0.0")), "127.0.0.1")
        return f"sip:{_NOBODY}@{host_port(host, 5060).rpartition(':')[0]}"

    def address(self, text: str, what: str) -> str:
        """What was typed as a URI: a name or number alone is one of --user's domain, and `sip:` may be left out. Raises `Fault`."""
        home = self.user
        is_alone = "@" not in text and not text.lower().startswith(("sip:", "sips:", "tel:"))
        if text.lower().startswith("tel:") and home is not None:
            # RFC 3261 §19.1.6: our domain knows the way to a telephone number.
            text = str(SipUri(home.host, user=text[4:], port=home.port, params={**home.params, "user": "phone"}, scheme=home.scheme))
        elif is_alone and home is not None and not _is_host(text):
            text = str(SipUri(home.host, user=text, port=home.port, params=dict(home.params), scheme=home.scheme))
        uri = sip_uri(text, what)
        self.asked_for.update(_websocket_of(uri))
        return str(uri)

    def everywhere(self, port: int) -> tuple[str, ...]:
        """Where to listen: a port of every address, 0 for any that is free, the next one for TLS. --transport leaves only what it says.

        Without a certificate TLS is only for what we begin: then no port of it is one that anybody should be told of. WebSocket is there
        where a URI asks for it.
        """
        points = [(self.transport or "udp", port)]
        if self.transport is None and (port == 0 or (self.tls is not None and self.tls.accepting is not None)):
            points.append(("tls", port and port + 1))
        if self.transport is None:
            proxy = [] if self.proxy is None else _websocket_of(sip_uri(self.proxy, "--proxy"))
            points += [(name, 0) for name in sorted(self.asked_for.union(proxy))]
        return tuple(f"{transport}://{host}:{number}" for transport, number in points for host in _wildcards())

    def agent(self, *, observer: Observer | None = None, listen: tuple[str, ...] | None = None, **more: Any) -> UserAgent:
        """The user agent, not open yet; `listen` is where it listens unless --listen says otherwise. Raises `Fault`."""
        from ringback.agent.identity import is_urn
        from ringback.agent.user_agent import UserAgent
        from ringback.transport.listening import listening_point

        if self.instance is not None and not is_urn(self.instance):
            raise Fault(f"--instance: {printable(self.instance)} is no URN, such as urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
        listen = self.listen or listen or self.everywhere(0)
        for point in listen:
            try:
                listening_point(point)
            except ValueError as error:
                raise Fault(f"--listen {printable(point)}: {error}") from None
        username = self.account or (self.user.user if self.user is not None else None)
        return UserAgent(
            self.aor,
            display_name=self.name,
            password=self.password,
            username=username,
            instance=self.instance,
            proxy=self.proxy,
            listen=listen,
            tls=self.tls,
            observer=observer,
            **more,
        )


def sip_uri(text: str, what: str) -> SipUri:
    """A SIP URI from what was typed; `sip:` may be left out. Raises `Fault`, which names it as `what`."""
    full = text if text.lower().startswith(("sip:", "sips:", "tel:")) else f"sip:{text}"
    try:
        uri = parse_uri(full)
    except SipParseError as error:
        raise Fault(f"{what}: {printable(text)} is no SIP URI: {error.reason}") from None
    if isinstance(uri, TelUri):
        raise Fault(f"{what}: {printable(text)} is a number of the domain of --user, which is missing")
    if not isinstance(uri, SipUri):
        raise Fault(f"{what}: {printable(text)} is no SIP URI")
    if uri.password_text is not None:
        # RFC 3261 §19.1.1: it would be sent in the clear, and shown to everybody.
        raise Fault(f"{what}: a URI is no place for a password (what stands between : and @); give --password-file")
    transport = "tls" if uri.scheme == "sips" else (uri.transport or "udp").lower()
    if transport not in TRANSPORTS:
        raise Fault(f"{what}: the transport {printable(transport)} is unknown; allowed are {', '.join(TRANSPORTS)}")
    return uri


def agent_options(command: _Command) -> _Command:
    """Adds the options; the command gets them as `options`."""

    @functools.wraps(command)
    def collected(
        *arguments: Any,
        user: str | None,
        name: str | None,
        account: str | None,
        password: str | None,
        password_file: str | None,
        instance: str | None,
        proxy: str | None,
        transport: str | None,
        listen: tuple[str, ...],
        tls_ca: str | None,
        tls_certificate: str | None,
        tls_key: str | None,
        believes_anybody: bool,
        is_traced: bool,
        is_json: bool,
        **more: Any,
    ) -> Any:
        if password_file is not None:
            password = _read_password(password_file)
        server = None if proxy is None else _server(proxy, transport)
        if server is not None and transport is None and (server.transport or "").lower() in ("ws", "wss"):
            # Only who listens on nothing else speaks WebSocket.
            transport = str(server.transport).lower()
        found = None if user is None else _user(user)
        if password is not None and found is None:
            raise Fault("a password is somebody's: name --user too")
        options = AgentOptions(
            user=found,
            name=name,
            account=account,
            password=password,
            proxy=None if server is None else str(server),
            transport=transport,
            listen=listen,
            tls=contexts(tls_ca, tls_certificate, tls_key, believes_anybody=believes_anybody),
            instance=instance,
            is_traced=is_traced,
            is_json=is_json,
        )
        return command(*arguments, options=options, **more)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected  # type: ignore[return-value]  # click calls it by names


_OPTIONS: list[Callable[[Any], Any]] = [
    click.option("--user", metavar="USER@DOMAIN", envvar="RINGBACK_USER", show_envvar=True, help="Who we are: our address-of-record."),
    click.option("--name", metavar="TEXT", help="Our name, as others see it."),
    click.option("--auth-user", "account", metavar="NAME", help="The account's name, where it is not the user of --user."),
    click.option(
        "--password",
        metavar="TEXT",
        envvar="RINGBACK_PASSWORD",
        show_envvar=True,
        help="The account's password. Everybody on this machine sees the command line: a file or the variable is better.",
    ),
    click.option("--password-file", metavar="FILE", help="Its first line is the password; - is standard input."),
    click.option(
        "--instance",
        metavar="URN",
        envvar="RINGBACK_INSTANCE",
        show_envvar=True,
        help="Which phone this is, the same at each start: a registration takes the place of the one before, and is kept alive.",
    ),
    click.option("--proxy", metavar="URI", help="Where everything goes first.  [default: where the URIs lead]"),
    click.option("--transport", type=click.Choice(TRANSPORTS), help="[default: what the URIs say, else udp]"),
    click.option(
        "--listen",
        multiple=True,
        metavar="URI",
        help="udp://ADDRESS:PORT, tcp://…, tls://…, ws://… or wss://…; may be repeated.  [default: any free port]",
    ),
    *TLS_OPTIONS,
    click.option("--tls-certificate", metavar="FILE", help="Who we are over TLS: a certificate in PEM, for servers that want one."),
    click.option("--tls-key", metavar="FILE", help="Its private key, if not in the same file."),
    click.option("--trace", "is_traced", is_flag=True, help="Print every message as a line of a ladder diagram."),
    click.option("--json", "is_json", is_flag=True, help="One JSON object a line."),
]


def _user(text: str) -> SipUri:
    uri = sip_uri(text, "--user")
    if uri.user is None:
        raise Fault(f"--user: {printable(text)} is no USER@DOMAIN, such as alice@example.org")
    return uri


def _websocket_of(uri: SipUri) -> list[str]:
    """The kind of WebSocket that a URI asks for, if it does."""
    name = (uri.transport or "").lower()
    return ["wss" if uri.scheme == "sips" else name] if name in ("ws", "wss") else []


def _server(text: str, transport: str | None) -> SipUri:
    uri = sip_uri(text, "--proxy")
    if transport is not None and uri.transport is None:
        uri.params["transport"] = transport
    return uri


def _read_password(file: str) -> str:
    """The first line of a file."""
    try:
        with click.open_file(file, "rb") as stream:
            line: bytes = stream.readline(_LONGEST_PASSWORD * 4)
        password = line.rstrip(b"\r\n").decode()
    except OSError as error:
        raise Fault(f"--password-file: {os_fault(error)}") from None
    except UnicodeDecodeError:
        raise Fault("--password-file: a password is text in UTF-8") from None
    if not 1 <= len(password) <= _LONGEST_PASSWORD:
        raise Fault(f"--password-file: a password has 1 to {_LONGEST_PASSWORD} characters; it is the first line of the file")
    return password


def _is_host(text: str) -> bool:
    """Whether a text without "@" is rather a host than a user or a number."""
    return any(char in text for char in ".:[;") or text == "localhost"


def _wildcards() -> list[str]:
    """Every address of this machine, of each family that it has."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ["0.0.0.0"]
    return ["0.0.0.0", "[::]"]
