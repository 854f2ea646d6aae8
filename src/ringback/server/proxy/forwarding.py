"""From the received request to what one target gets (RFC 3261 §16.6 items 1 to 6)."""

from __future__ import annotations

from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.message.uri import SipUri, parse_uri
from ringback.server.proxy.validation import MAX_FORWARDS

# §16.6 item 4: dialogs begin with these; a method the proxy does not know may have dialog semantics too.
_BEGINS_NO_DIALOG = frozenset(("ACK", "BYE", "CANCEL", "INFO", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REGISTER", "UPDATE"))


def may_begin_dialog(method: str) -> bool:
    """Whether a proxy that wants to stay on the path record-routes a request of this method."""
    return method not in _BEGINS_NO_DIALOG


def request_uri(text: str) -> str:
    """A target's URI without what a Request-URI may not hold: header fields and the method parameter (§16.6 item 2, §19.1.1)."""
    if "?" not in text and "ethod=" not in text:
        return text
    uri = parse_uri(text)
    if isinstance(uri, SipUri):
        uri.headers_text = None
        uri.params.pop("method", None)
    return str(uri)


def forwarded_copy(request: Request, uri: str, max_breadth: int, record_route: str | None) -> Request:
    """The copy for one target; only Via is still missing. The received request stays as it is."""
    copy = request.copy()
    if uri != request.uri_text:
        copy.uri = request_uri(uri)
    headers = copy.headers
    hops = request.max_forwards
    headers.set("Max-Forwards", str(MAX_FORWARDS if hops is None else hops - 1))
    headers.set("Max-Breadth", str(max_breadth))
    if record_route is not None:
        headers.prepend("Record-Route", record_route)
    if "route" in headers:
        _give_strict_router_its_form(copy)
    return copy


def _give_strict_router_its_form(copy: Request) -> None:
    """§16.6 item 6: a next hop without `lr` finds itself in the Request-URI, and the Request-URI at the end of Route."""
    uri = copy.routes[0].uri
    if isinstance(uri, SipUri) and not uri.lr:
        copy.headers.remove_first("Route")
        copy.headers.append("Route", f"<{copy.uri_text}>")
        copy.uri = uri


def next_hop(request: Request) -> str:
    """The URI that names where a forwarded copy goes (§16.6 item 7): the first Route, unless that is a strict router, else the Request-URI."""
    if "route" not in request.headers:
        return request.uri_text
    uri = request.routes[0].uri
    if not isinstance(uri, SipUri):
        raise SipParseError("Not a SIP URI", "Route")
    return str(uri)
