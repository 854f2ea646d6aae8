"""What a server is told: one TOML file and the command line, checked into structs whose errors are one line each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.address import Endpoint
from ringback.server.config.access import AccessConfig
from ringback.server.config.control import ControlConfig
from ringback.server.config.dns import DnsConfig
from ringback.server.config.domain import DomainConfig, Mode
from ringback.server.config.drain import DrainConfig
from ringback.server.config.edge import EdgeConfig
from ringback.server.config.fault import ConfigError, shown
from ringback.server.config.gateway import GatewayConfig
from ringback.server.config.limits import LimitsConfig
from ringback.server.config.log import LogConfig
from ringback.server.config.metrics import MetricsConfig
from ringback.server.config.nat import NatConfig
from ringback.server.config.proxy import ProxyConfig
from ringback.server.config.registrar import RegistrarConfig
from ringback.server.config.relay import RelayConfig
from ringback.server.config.route import RouteConfig, check_target
from ringback.server.config.tls import TlsConfig
from ringback.server.config.trace import TraceConfig
from ringback.server.config.transport import TransportConfig
from ringback.server.config.value import domain_name, domain_names
from ringback.server.config.websocket import WebSocketConfig
from ringback.transport.listening import listening_point

IN_MEMORY = ":memory:"
"""The value of `data` (and of `--data`) that keeps nothing, in SQLite's own word for it."""

DEFAULT_LISTEN = "udp://0.0.0.0:5060"
DEFAULT_TLS_LISTEN = "tls://0.0.0.0:5061"
"""What is listened on, too, by a server that has a certificate and is told nothing about listening."""

_CERTIFICATE_ADVICE = "name it as certificate in the table tls, or by --tls-certificate (docs/how-to/tls.md says how to get one)"


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything `ringback serve` can be told: read by `config_file.read_config`, or in Python `Config(domains=["example.org"])`.

    `data` None keeps nothing over a restart; `read_config` fills in `default_data_folder()`. Raises `ConfigError` for values that
    cannot be (wrong types are `read_config`'s to find).
    """

    domains: Annotated[
        list[str],
        Meta(
            description="The SIP domains served here: whose users register and are called. None: those the users are of, or every domain "
            "as long as there are no users.",
            examples=[["example.org"]],
        ),
    ] = msgspec.field(default_factory=list)
    listen: Annotated[
        list[str],
        Meta(
            description="Where to listen: udp://ADDRESS:PORT, tcp://…, tls://…, for browsers ws://… or wss://…, IPv6 in brackets; port "
            "5060, for tls 5061, ws 80, wss 443, unless named, 0 for any free one. TCP comes with every UDP port (RFC 3261 §18.2.1). "
            "Where a certificate is named and this is not, tls://0.0.0.0:5061 as well."
        ),
    ] = msgspec.field(default_factory=lambda: [DEFAULT_LISTEN])
    advertise: Annotated[
        str | None,
        Meta(description="The host written into Via and Record-Route, if not the address listened on.", examples=["sip.example.org"]),
    ] = None
    auth: Annotated[
        Literal["none", "digest"],
        Meta(
            description="Who may register and call: digest asks for the password of a user (`ringback user add`), none lets in everybody.",
        ),
    ] = "digest"
    data: Annotated[
        Path | None,
        Meta(
            description="The folder of what must survive a restart; :memory: keeps nothing. Without it, the first of "
            "$STATE_DIRECTORY (systemd), $XDG_DATA_HOME/ringback and ~/.local/share/ringback.",
            examples=["/var/lib/ringback"],
        ),
    ] = None
    routing: Annotated[
        Path | None,
        Meta(description="Your routing function: a Python file with route(request), read again on SIGHUP.", examples=["routes.py"]),
    ] = None
    domain: Annotated[dict[str, DomainConfig], Meta(description="One table for each domain.", examples=["example.org"])] = msgspec.field(
        default_factory=dict
    )
    gateway: Annotated[dict[str, GatewayConfig], Meta(description="One table for each gateway.", examples=["pstn"])] = msgspec.field(
        default_factory=dict
    )
    registrar: RegistrarConfig = RegistrarConfig()
    nat: NatConfig = NatConfig()
    edge: EdgeConfig = EdgeConfig()
    proxy: ProxyConfig = ProxyConfig()
    limits: LimitsConfig = LimitsConfig()
    access: AccessConfig = msgspec.field(default_factory=AccessConfig)
    relay: RelayConfig = msgspec.field(default_factory=RelayConfig)
    trace: TraceConfig = TraceConfig()
    transport: TransportConfig = TransportConfig()
    dns: DnsConfig = msgspec.field(default_factory=DnsConfig)
    tls: TlsConfig = msgspec.field(default_factory=TlsConfig)
    websocket: WebSocketConfig = msgspec.field(default_factory=WebSocketConfig)
    drain: DrainConfig = DrainConfig()
    control: ControlConfig = ControlConfig()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()
    aliases: Annotated[
        dict[str, list[str] | str],
        Meta(
            description="Other names of users, or of groups of them that ring together: the name, with its domain or without one for every "
            "domain, then the URI or URIs it stands for.",
            examples=[{"support@example.org": "sip:alice@example.org", "sales": ["sip:alice@example.org", "sip:+49301@192.0.2.7"]}],
        ),
    ] = msgspec.field(default_factory=dict)
    route: list[RouteConfig] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        force_setattr(self, "domains", domain_names(self.domains, "domains"))
        force_setattr(self, "domain", self._known_domains())
        if self.advertise is not None:
            force_setattr(self, "advertise", domain_names([self.advertise], "advertise")[0])
        _check_aliases(self.aliases)
        if self.edge.registrar is not None and (keys := self._unusual_modes()):
            raise ConfigError("an edge proxy keeps state of what it forwards: no mode but stateful goes with [edge]", keys[0])
        for index, route in enumerate(self.route):
            if route.gateway is not None and route.gateway not in self.gateway:
                raise ConfigError(f"no table [gateway.{route.gateway}] says what that is", f"route[{index}].gateway")
        seen = set()
        if not self.listen:
            raise ConfigError('must name at least one address, such as "udp://0.0.0.0:5060"', "listen")
        for index, uri in enumerate(self.listen):
            try:
                point = listening_point(uri)
            except ValueError as error:
                raise ConfigError(f"{shown(uri)}: {error}", f"listen[{index}]") from None
            place = (point.transport, point.host, point.port)
            if place in seen and point.port:
                raise ConfigError(f"{shown(uri)} stands there twice", f"listen[{index}]")
            seen.add(place)
            if point.is_secure and not self.tls.can_accept:
                raise ConfigError(f"{shown(uri)} needs a certificate: {_CERTIFICATE_ADVICE}", f"listen[{index}]")

    @property
    def modes(self) -> dict[str, Mode]:
        """What the server is to requests for each domain that a table speaks of."""
        return {name: domain.mode for name, domain in self.domain.items()}

    def _unusual_modes(self) -> list[str]:
        """The keys that say another mode than the usual one."""
        keys = [] if self.proxy.mode == "stateful" else ["proxy.mode"]
        return keys + [f'domain."{name}".mode' for name, mode in self.modes.items() if mode != "stateful"]

    def _known_domains(self) -> dict[str, DomainConfig]:
        """The domains' tables by names as they are compared."""
        tables = {}
        for name, table in self.domain.items():
            key = f'domain."{name}"'
            try:
                domain = domain_name(name)
            except ConfigError as error:
                raise ConfigError(error.reason, key) from None
            if self.domains and domain not in self.domains:
                raise ConfigError(f"no domain served here; domains has {', '.join(self.domains)}", key)
            tables[domain] = table
        return tables

    @property
    def asks_passwords(self) -> bool:
        """Whether users prove here who they are: before a registrar of others it is that which asks."""
        return self.auth == "digest" and self.edge.registrar is None

    def endpoints(self) -> list[Endpoint]:
        """A new `Endpoint` for each line of `listen`, in order."""
        return [listening_point(uri, self.advertise) for uri in self.listen]


def _check_aliases(aliases: Mapping[str, list[str] | str]) -> None:
    for name, targets in aliases.items():
        _, at, domain = name.rpartition("@")
        key = f'aliases."{name}"'
        if at:
            try:
                domain_name(domain)
            except ConfigError as error:
                raise ConfigError(error.reason, key) from None
        if not targets:
            raise ConfigError("needs at least one URI", key)
        for target in [targets] if isinstance(targets, str) else targets:
            check_target(target, key)


def default_data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where data goes when nobody said: systemd's state folder, else the XDG data folder, else ~/.local/share/ringback."""
    if state := environment.get("STATE_DIRECTORY"):
        return Path(state.partition(":")[0])
    home = environment.get("XDG_DATA_HOME", "")
    # The XDG specification has relative paths ignored.
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "share") / "ringback"
