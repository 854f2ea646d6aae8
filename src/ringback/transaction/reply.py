"""Where a response goes: the source stamped into Via on arrival (RFC 3261 §18.2.1, RFC 3581) and what is read from it (§18.2.2)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network

from ringback.address import DEFAULT_PORTS, SECURE, Flow, Target
from ringback.message.fields.via import Via
from ringback.message.message import Request

_PRIVATE = [
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10")
]


def stamp_source(request: Request, flow: Flow) -> None:
    """Writes into the topmost Via where a request really came from, if the sender did not say so itself or asked to know.

    What a sender wrote there in the server's stead is overwritten: nobody names the source but we.
    """
    via = request.via
    # A link-local source bears our own interface's name, which means nothing to the sender.
    host = flow.host.partition("%")[0]
    params = via.params
    if "rport" in params:
        params["rport"] = str(flow.port)
    elif via.host == host and "received" not in params:
        return
    # RFC 3581 §4: with rport, `received` is written even where it equals the sent-by.
    params["received"] = host
    request.headers.replace_first("Via", via)


def is_multicast(host: str) -> bool:
    """Whether a host is a numeric multicast address."""
    try:
        return ip_address(host).is_multicast
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def is_private(host: str) -> bool:
    """Whether a host is a numeric address that means nothing outside its own network (RFC 1918, RFC 6598, RFC 3927, RFC 4193)."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE if network.version == address.version)


def reply_flow(via: Via, flow: Flow) -> Flow:
    """The flow that answers a request which came over `flow` with this topmost Via.

    Reliable transports: the same connection (`fallback_target` tells where to go when it is gone). UDP: back to the source address, at the
    source port if `rport` asks for that, else at the port of the sent-by; always from where the request came in.
    """
    endpoint = flow.endpoint
    if endpoint.is_reliable:
        return flow
    remote = flow.remote
    port = DEFAULT_PORTS["UDP"] if via.port is None else via.port
    params = via.params
    host = remote[0]
    if "maddr" in params and via.maddr == endpoint.host and is_multicast(endpoint.host):
        host = endpoint.host
    # Departs from RFC 3261 §18.2.2: no maddr is followed but the group that the request itself was sent to, or any stranger could aim our
    # responses at third parties.
    elif port == remote[1] or "rport" in params or (via.host != host.partition("%")[0] and is_private(via.host)):
        # Departs from RFC 3261 §18.2.2: who is somewhere else than at the private address he names is behind a NAT, where the port of the
        # sent-by leads to nobody, whether or not he knows of RFC 3581.
        return flow
    return Flow(endpoint, (host, port) if len(remote) == 2 else (host, port, *remote[2:]))


def fallback_target(via: Via) -> Target | None:
    """Where a response goes when the connection its request came by is closed: the source address, at the port of the sent-by (§18.2.2).

    Over TLS whoever is found there has to be the host of the sent-by (RFC 5922 §7.3): anybody may have got the address since. None over
    WebSocket: nobody can connect to a browser, so its answers go down the connection on which it waits, or nowhere (RFC 7118 §5.3).
    """
    if via.transport in ("WS", "WSS"):
        return None
    port = DEFAULT_PORTS.get(via.transport, 5060) if via.port is None else via.port
    return Target(via.transport, via.received or via.host, port, domain=via.host if via.transport in SECURE else None)
