"""Where a response goes: the source stamped into Via on arrival (RFC 3261 §18.2.1, RFC 3581) and what is read from it (§18.2.2)."""

from __future__ import annotations

from ipaddress import ip_address

from ringback.address import DEFAULT_PORTS, Flow, Target
from ringback.message.fields.via import Via
from ringback.message.message import Request


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
    elif port == remote[1] or "rport" in params:
        return flow
    return Flow(endpoint, (host, port) if len(remote) == 2 else (host, port, *remote[2:]))


def fallback_target(via: Via) -> Target:
    """Where a response goes when the connection its request came by is closed: the source address, at the port of the sent-by (§18.2.2)."""
    port = DEFAULT_PORTS.get(via.transport, 5060) if via.port is None else via.port
    return Target(via.transport, via.received or via.host, port)
