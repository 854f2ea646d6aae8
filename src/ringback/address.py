"""Values that name a way to a peer: where we listen, where a message came from, where one shall go (RFC 3263, RFC 5626)."""

from typing import NamedTuple

DEFAULT_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061, "WS": 80, "WSS": 443}

SECURE = frozenset(("TLS", "WSS"))
"""What may carry a request for a sips URI (RFC 3261 §26.2.2)."""


def host_port(host: str, port: int) -> str:
    """`host:port` as it stands in a URI or Via: an IPv6 address goes into brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Endpoint:
    """A listening point of ours: one transport on one local address. Compared by identity: there is one object for each."""

    __slots__ = ("advertised", "host", "is_reliable", "is_secure", "is_websocket", "port", "sent_by", "transport", "via")

    def __init__(self, transport: str, host: str, port: int, advertised: str | None = None) -> None:
        """`host` is numeric; `advertised`, if given, is the host written into Via and Record-Route instead."""
        self.transport = transport
        self.host = host
        self.port = port
        self.is_reliable = transport != "UDP"
        self.is_secure = transport in SECURE
        self.is_websocket = transport in ("WS", "WSS")
        self.advertised = advertised or host
        self.sent_by = host_port(self.advertised, port)
        self.via = f"SIP/2.0/{transport} {self.sent_by};branch="
        """How the Via of a request sent from here begins."""

    def ask_for_port(self) -> None:
        """Has answers to requests from here sent to wherever these are seen to come from: behind a NAT, elsewhere (RFC 3581 §3)."""
        self.via = f"{self.via.removesuffix('branch=')}rport;branch="

    def __repr__(self) -> str:
        return f"<Endpoint {self.transport} {host_port(self.host, self.port)}>"


class Flow:
    """One way between an endpoint of ours and a peer: for UDP the peer's address, for TCP one connection.

    `remote` is the socket address as the operating system gives it; `connection` tells one connection from another
    (0 where the transport has none). `domain` is whom a connection of ours was opened for (see `Target`), None for what a peer has begun.
    """

    __slots__ = ("connection", "domain", "endpoint", "remote")

    def __init__(
        self,
        endpoint: Endpoint,
        remote: tuple[str, int] | tuple[str, int, int, int],
        connection: int = 0,
        domain: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.remote = remote
        self.connection = connection
        self.domain = domain

    @property
    def host(self) -> str:
        """The peer's numeric address."""
        return self.remote[0]

    @property
    def port(self) -> int:
        """The peer's port."""
        return self.remote[1]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Flow)
            and self.endpoint is other.endpoint
            and self.remote == other.remote
            and self.connection == other.connection
        )

    def __hash__(self) -> int:
        return hash((self.remote, self.connection))

    def __repr__(self) -> str:
        return f"<Flow {self.endpoint.transport} {self.endpoint.sent_by} ⇄ {host_port(self.host, self.port)}>"


class Target(NamedTuple):
    """Where a request shall go (RFC 3263 §4): a transport, a numeric address and a port; `ttl` for multicast only.

    `domain` is the name that the certificate of a TLS or WSS peer has to bear (RFC 5922 §4); nothing else has one.
    """

    transport: str
    host: str
    port: int
    ttl: int | None = None
    domain: str | None = None
