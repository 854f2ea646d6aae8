"""From the received request to what one target gets (RFC 3261 §16.6 items 1 to 9)."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, parse_uri
from ringback.server.proxy.validation import MAX_FORWARDS

# §16.6 item 4: dialogs begin with these; a method the proxy does not know may have dialog semantics too.
_BEGINS_NO_DIALOG = frozenset(("ACK", "BYE", "CANCEL", "INFO", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REGISTER", "UPDATE"))


def may_begin_dialog(method: str) -> bool:
    """Whether a proxy that wants to stay on the path record-routes a request of this method."""
    return method not in _BEGINS_NO_DIALOG


def request_uri(text: str) -> str:
    """A target's URI without what a Request-URI may not hold: header fields and the method parameter (§16.6 item 2, §19.1.1)."""
    if "?" not in text and "ethod=" not in text.lower():
        return text
    uri = parse_uri(text)
    if isinstance(uri, SipUri):
        uri.headers_text = None
        uri.params.pop("method", None)
    return str(uri)


def next_hop(request: Request, uri: str, route: Sequence[str] = ()) -> tuple[Request, str, str]:
    """Where a request for a target goes (§16.6 items 6 and 7): the request to copy, its Request-URI, and the URI that names the next hop.

    `route` is put above the request's own. The next hop is the first Route, else the Request-URI. One without `lr` is a strict router: it
    wants itself in the Request-URI, and the Request-URI at the end of Route.
    """
    if route:
        request = request.copy()
        for value in reversed(route):
            request.headers.prepend("Route", value)
    elif "route" not in request.headers.keys:
        return request, uri, uri
    hop = request.routes[0].uri
    if not isinstance(hop, SipUri):
        raise SipParseError("Not a SIP URI", "Route")
    if hop.lr:
        # §16.6 item 7: what was asked for as sips goes over TLS, whatever the Route says.
        is_secure = hop.scheme == "sips" or uri[:5].lower() != "sips:"
        return request, uri, str(hop) if is_secure else f"sips{str(hop)[3:]}"
    copy = request.copy()
    copy.headers.remove_first("Route")
    copy.headers.append("Route", f"<{uri}>")
    return copy, str(hop), str(hop)


def is_for_sips(request: Request, uri: str) -> bool:
    """Whether a request for a target is to be secure throughout: its Request-URI or the next hop's URI is sips (§16.6 item 4)."""
    if uri[:5].lower() == "sips:":
        return True
    if "route" not in request.headers.keys:
        return False
    hop = request.routes[0].uri
    return isinstance(hop, SipUri) and hop.scheme == "sips"


def _without_repeated(keys: list[str], lines: list[str], key: str) -> tuple[list[str], list[str]]:
    """The lines with only the first of those under one key (RFC 5393 §5.3.3: Max-Breadth stands once)."""
    first = keys.index(key)
    kept = [index for index, other in enumerate(keys) if other != key or index == first]
    return [keys[index] for index in kept], [lines[index] for index in kept]


def forwarded(request: Request, uri: str, max_breadth: int, record_routes: Sequence[str], via: str) -> bytes:
    """The octets of a request's copy for one next hop.

    Max-Forwards is one less, Max-Breadth and our Via are there, our Record-Route lines where any are wanted, and Content-Length for the
    sake of streams (item 9); every other line is as it came, in its order. The request itself stays as it is.
    """
    headers = request.headers
    keys = headers.keys
    lines = headers.lines.copy()
    hops = request.max_forwards
    if hops is None:
        lines.append(f"Max-Forwards: {MAX_FORWARDS}")
    else:
        lines[keys.index("max-forwards")] = f"Max-Forwards: {hops - 1}"
    if "max-breadth" in keys:
        lines[keys.index("max-breadth")] = f"Max-Breadth: {max_breadth}"
        if keys.count("max-breadth") > 1:
            keys, lines = _without_repeated(keys, lines, "max-breadth")
    else:
        lines.append(f"Max-Breadth: {max_breadth}")
    if "content-length" not in keys:
        lines.append(f"Content-Length: {len(request.body)}")
    top = keys.index("via")
    if record_routes:
        # Before any other Record-Route; with none there, below the Vias.
        place = keys.index("record-route") if "record-route" in keys else top + keys.count("via")
        lines[place:place] = record_routes
    lines.insert(top, f"Via: {via}")
    head = "\r\n".join([f"{request.method} {uri} SIP/2.0", *lines, "", ""]).encode("utf-8", "surrogateescape")
    return head + request.body if request.body else head


def frame(response: Response) -> None:
    """Gives a response its Content-Length: over a stream its end cannot be told without (§20.14). Datagrams need none."""
    if "content-length" not in response.headers:
        response.headers.append("Content-Length", len(response.body))
