"""Taking ourselves out of the route before a request is looked at (RFC 3261 §16.4)."""

from __future__ import annotations

from ringback.address import Endpoint
from ringback.message.message import Request
from ringback.message.uri import SipUri
from ringback.server.domains import Domains
from ringback.server.proxy.record_route import RecordRoute


def preprocess(request: Request, endpoint: Endpoint, domains: Domains, record_route: RecordRoute) -> str | None:
    """Removes our own entries from Route, undoes a strict router's rewriting, drops a `maddr` of ours; changes `request`.

    Gives the proof of a dialog found in a Record-Route entry of ours, several separated by commas, None where there was none. Raises
    `SipParseError` where Route or Request-URI do not parse.
    """
    headers = request.headers
    text = request.uri_text
    proof = None
    if "proof=" in text:
        proof = _undo_strict_router(request, domains, record_route)
    if ";maddr=" in text:
        _strip_own_maddr(request, endpoint, domains)
    while "route" in headers.keys:
        # The usual Route is our own entry to the letter, alone in its line: then no URI needs parsing.
        index = headers.keys.index("route")
        found = record_route.proof_in_line(headers.lines[index])
        if found is not None:
            headers.remove_line(index)
        else:
            uri = request.routes[0].uri
            if not isinstance(uri, SipUri) or not domains.is_ours(uri):
                break
            found = record_route.proof_in(uri)
            headers.remove_first("Route")
        if found:
            proof = found if proof is None else f"{proof},{found}"
    return proof


def _undo_strict_router(request: Request, domains: Domains, record_route: RecordRoute) -> str | None:
    """A strict router put our Record-Route URI into the Request-URI and the true one at the end of Route."""
    uri = request.uri
    if not isinstance(uri, SipUri) or not uri.lr or not domains.is_ours(uri):
        return None
    routes = request.headers.texts("Route")
    if routes:
        request.uri = request.routes[-1].uri
        request.headers.remove("Route")
        for route in routes[:-1]:
            request.headers.append("Route", route)
    return record_route.proof_in(uri)


def _strip_own_maddr(request: Request, endpoint: Endpoint, domains: Domains) -> None:
    uri = request.uri
    if not isinstance(uri, SipUri) or uri.maddr is None:
        return
    port = uri.port or 5060
    is_ours = uri.maddr in domains.names or uri.maddr in (endpoint.host, endpoint.advertised)
    if is_ours and port == endpoint.port and (uri.transport or "UDP") == endpoint.transport:
        stripped = uri.copy()
        del stripped.params["maddr"]
        stripped.params.pop("transport", None)
        if port != 5060:
            stripped.port = None
        request.uri = stripped
