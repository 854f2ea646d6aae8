"""What a server is told: one TOML file and the command line, checked into structs whose errors are one line each."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.address import Endpoint
from ringback.digest import ALGORITHMS
from ringback.message.limits import MessageLimits
from ringback.transaction.layer import MAX_TRANSACTIONS
from ringback.transport.limits import StreamLimits
from ringback.transport.listening import listening_point

IN_MEMORY = ":memory:"
"""The value of `data` (and of `--data`) that keeps nothing, in SQLite's own word for it."""

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Interval = Annotated[int, Meta(ge=1, le=4_294_967_295)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]


class ConfigError(ValueError):
    """A configuration that cannot be used, in one line: where it stands, which key, what is wrong, what is allowed."""

    def __init__(self, reason: str, key: str | None = None, origin: str | None = None) -> None:
        self.reason = reason
        self.key = key
        self.origin = origin
        super().__init__(": ".join(part for part in (origin, key, reason) if part))


_TYPE_NAMES: dict[type, str] = {list: "a list", dict: "a table"}


def shown(value: object) -> str:
    """A value as an error names it: one line, not longer than 60 characters."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, (str, int, float)) else _TYPE_NAMES.get(type(value), type(value).__name__)
    return text if len(text) <= 60 else text[:59] + "…"


class RegistrarConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the registrar keeps bindings (RFC 3261 §10.3)."""

    default_expires: Annotated[Interval, Meta(description="Seconds a binding lasts when its REGISTER names no time.")] = 3600
    min_expires: Annotated[Interval, Meta(description="A shorter wish is answered 423 Interval Too Brief (unless it is 0).")] = 60
    max_expires: Annotated[Interval, Meta(description="A longer wish is granted this many seconds.")] = 86_400
    max_contacts: Annotated[Count, Meta(description="Bindings of one address-of-record, and Contacts of one REGISTER.")] = 10
    foreign_contacts: Annotated[
        bool,
        Meta(
            description="Whether a Contact may name another host than the one its REGISTER came from. "
            "Calls to such a contact reach a party that never asked for them."
        ),
    ] = False

    def __post_init__(self) -> None:
        if not self.min_expires <= self.default_expires <= self.max_expires:
            raise ConfigError(
                f"must lie between min_expires ({self.min_expires}) and max_expires ({self.max_expires}), is {self.default_expires}",
                "registrar.default_expires",
            )


class ProxyConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are forwarded (RFC 3261 §16)."""

    record_route: Annotated[bool, Meta(description="Stay in the path of every dialog (§16.6 item 4).")] = True
    timer_c: Annotated[
        float,
        Meta(gt=180, le=3600, description="Seconds an INVITE may ring without a word (Timer C): more than three minutes (§16.6 item 11)."),
    ] = 181.0
    ring_for: Annotated[
        float, Meta(ge=1, le=3600, description="Seconds a target rings before the next one's turn, when targets are tried one by one.")
    ] = 20.0
    max_branches: Annotated[int, Meta(ge=1, le=1000, description="Targets one request is forwarded to at most.")] = 10
    max_breadth: Annotated[
        int, Meta(ge=1, le=1000, description="Branches a request may have at one time in all proxies together (RFC 5393 §5.3.3).")
    ] = 60


_MESSAGE = MessageLimits()
_STREAM = StreamLimits()


class LimitsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server takes from a peer before it refuses."""

    message_bytes: Annotated[int, Meta(ge=1300, le=16_777_216, description="A whole message; 513 above.")] = _MESSAGE.message_bytes
    header_line_bytes: Annotated[int, Meta(ge=128, le=16_777_216, description="One header line.")] = _MESSAGE.header_line_bytes
    header_count: Annotated[int, Meta(ge=16, le=100_000, description="Header lines of one message.")] = _MESSAGE.header_count
    uri_bytes: Annotated[int, Meta(ge=64, le=16_777_216, description="A Request-URI; 414 above.")] = _MESSAGE.uri_bytes
    via_count: Annotated[int, Meta(ge=1, le=10_000, description="Via values of one message.")] = _MESSAGE.via_count
    route_count: Annotated[int, Meta(ge=1, le=10_000, description="Route values of one message.")] = _MESSAGE.route_count
    transactions: Annotated[Count, Meta(description="Transactions alive at once; above, new requests get 503 with Retry-After.")] = (
        MAX_TRANSACTIONS
    )
    half_open_per_source: Annotated[
        Count, Meta(description="INVITEs without a final answer from one address that is not authenticated; 503 above.")
    ] = 20
    tcp_connections_per_source: Annotated[Count, Meta(description="Connections from one IPv4 address or IPv6 /64.")] = _STREAM.per_address
    tcp_first_request_seconds: Annotated[Seconds, Meta(description="A new connection without a whole message is closed.")] = (
        _STREAM.first_request
    )
    tcp_message_seconds: Annotated[Seconds, Meta(description="A message begun and not ended closes its connection.")] = _STREAM.message
    tcp_idle_seconds: Annotated[Seconds, Meta(description="A connection on which nothing passes is closed.")] = _STREAM.idle
    tcp_write_buffer_bytes: Annotated[
        int, Meta(ge=65_536, le=1_073_741_824, description="What may wait for a peer that does not read; then it is closed.")
    ] = _STREAM.write_bytes

    @property
    def message(self) -> MessageLimits:
        """The bounds the parsers take."""
        return MessageLimits(**{name: getattr(self, name) for name in MessageLimits._fields})

    @property
    def stream(self) -> StreamLimits:
        """The bounds connections have."""
        return StreamLimits(
            first_request=self.tcp_first_request_seconds,
            message=self.tcp_message_seconds,
            idle=self.tcp_idle_seconds,
            per_address=self.tcp_connections_per_source,
            write_bytes=self.tcp_write_buffer_bytes,
        )


class RelayConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which domains of others this server sends requests to."""

    allow: Annotated[
        list[str],
        Meta(description="Domains not served here that requests may go to; none by default: no open relay.", examples=[["example.net"]]),
    ] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        force_setattr(self, "allow", _domains(self.allow, "relay.allow"))


class AccessConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who has to prove who they are, and how (RFC 3261 §22, RFC 8760); with auth = "digest"."""

    algorithms: Annotated[
        list[Literal["SHA-512-256", "SHA-256", "MD5"]],
        Meta(description="What a password may be proven with, the best first. Old phones know MD5 alone."),
    ] = msgspec.field(default_factory=lambda: ["SHA-256", "MD5"])
    nonce_seconds: Annotated[
        int, Meta(ge=10, le=86_400, description="How long a client may answer one challenge; after that it is asked anew.")
    ] = 300
    trusted: Annotated[
        list[str],
        Meta(
            description="Addresses and networks whose requests need no password: proxies of other domains, trunks. REGISTER always does. "
            "Over UDP a source address can be forged: name only networks where that is kept out.",
            examples=[["192.0.2.111", "2001:db8::/32"]],
        ),
    ] = msgspec.field(default_factory=list)
    guests: Annotated[
        bool,
        Meta(
            description="Whether callers of other domains who have an account in the callee's domain, too, may prove that by its password; "
            "else they get 403."
        ),
    ] = False
    accept_strangers: Annotated[
        bool,
        Meta(description="Whether callers of domains not served here may reach the users of those that are, unproven; else they get 403."),
    ] = False

    def __post_init__(self) -> None:
        if not self.algorithms or len(set(self.algorithms)) < len(self.algorithms):
            raise ConfigError("must name at least one algorithm, and none twice", "access.algorithms")
        for name in self.algorithms:
            if name.lower() not in ALGORITHMS:
                raise ConfigError(f"this Python was built without {name}", "access.algorithms")
        for index, text in enumerate(self.trusted):
            try:
                ipaddress.ip_network(text)
            except ValueError:
                raise ConfigError(
                    f"{shown(text)} is no address or network; allowed are such as 192.0.2.111, 192.0.2.0/24 or 2001:db8::/32",
                    f"access.trusted[{index}]",
                ) from None

    @property
    def networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """`trusted`, taken apart."""
        return [ipaddress.ip_network(text) for text in self.trusted]


class TransportConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How messages are fetched and sent."""

    udp_round_ms: Annotated[
        float,
        Meta(
            ge=0,
            le=50,
            description="Under load, UDP is looked at every so many milliseconds instead of at every datagram: less CPU for each call, "
            "that much more time for each message. 0 never waits.",
        ),
    ] = 4.0


class TraceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is shown of the messages that pass."""

    ladder: Annotated[bool, Meta(description="Print every message as one line of a ladder diagram (--trace).")] = False
    file: Annotated[
        Path | None, Meta(description="Keep every message here: .pcap for Wireshark, .json one object a line.", examples=["calls.pcap"])
    ] = None

    def __post_init__(self) -> None:
        if self.file is not None and self.file.suffix not in (".pcap", ".json"):
            raise ConfigError(f"{shown(str(self.file))} must end in .pcap or .json", "trace.file")


class DrainConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the server ends."""

    seconds: Annotated[Seconds, Meta(description="On SIGTERM, transactions still open may take this long (32 is 64 × T1).")] = 32.0


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
            description="Where to listen: udp://ADDRESS:PORT or tcp://ADDRESS:PORT, IPv6 in brackets; port 5060 unless named, "
            "0 for any free one. TCP comes with every UDP port (RFC 3261 §18.2.1)."
        ),
    ] = msgspec.field(default_factory=lambda: ["udp://0.0.0.0:5060"])
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
    registrar: RegistrarConfig = RegistrarConfig()
    proxy: ProxyConfig = ProxyConfig()
    limits: LimitsConfig = LimitsConfig()
    access: AccessConfig = msgspec.field(default_factory=AccessConfig)
    relay: RelayConfig = msgspec.field(default_factory=RelayConfig)
    trace: TraceConfig = TraceConfig()
    transport: TransportConfig = TransportConfig()
    drain: DrainConfig = DrainConfig()

    def __post_init__(self) -> None:
        force_setattr(self, "domains", _domains(self.domains, "domains"))
        if self.advertise is not None:
            force_setattr(self, "advertise", _domains([self.advertise], "advertise")[0])
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

    def endpoints(self) -> list[Endpoint]:
        """A new `Endpoint` for each line of `listen`, in order."""
        return [listening_point(uri, self.advertise) for uri in self.listen]


def domain_name(text: str) -> str:
    """A domain as it is compared: lower case, no final dot, IPv6 without brackets. Raises `ConfigError` where it is none."""
    domain = text.lower().removesuffix(".") if text.isascii() else text
    if not _is_host(domain):
        raise ConfigError(f"{shown(text)} is no domain; allowed is a host name or address such as example.org, [::1] or 192.0.2.1")
    # Brackets belong to the writing of a URI, not to its host.
    return str(ipaddress.ip_address(domain[1:-1])) if domain.startswith("[") else domain


def _domains(names: list[str], key: str) -> list[str]:
    """Domain names as they are compared, each once."""
    result: dict[str, None] = {}
    for index, name in enumerate(names):
        try:
            result[domain_name(name)] = None
        except ConfigError as error:
            raise ConfigError(error.reason, key if key == "advertise" else f"{key}[{index}]") from None
    return list(result)


def _is_host(text: str) -> bool:
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        return ":" in text and _is_address(text)
    labels = text.split(".")
    if labels[-1].isdigit():
        return _is_address(text)
    return text.isascii() and len(text) <= 253 and all(map(_is_label, labels))


def _is_label(text: str) -> bool:
    """One part of a host name (RFC 3261 §25.1 `domainlabel`)."""
    return 0 < len(text) <= 63 and text.replace("-", "").isalnum() and text[0] != "-" and text[-1] != "-"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    # A zone means something on this machine only; no peer could use it.
    return "%" not in text


def default_data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where data goes when nobody said: systemd's state folder, else the XDG data folder, else ~/.local/share/ringback."""
    if state := environment.get("STATE_DIRECTORY"):
        return Path(state.partition(":")[0])
    home = environment.get("XDG_DATA_HOME", "")
    # The XDG specification has relative paths ignored.
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "share") / "ringback"
