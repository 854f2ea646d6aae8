"""Who may open a WebSocket here, and what everybody else is told (RFC 7118 §4.1; RFC 6455 §4.2, §10.2)."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from ipaddress import ip_address
from typing import NamedTuple

from websockets.datastructures import Headers

from ringback.transport.limits import Admit, WebSocketRules
from ringback.transport.websocket.handshake import Handshake
from ringback.transport.websocket.origins import Origins

SUBPROTOCOL = "sip"

WHAT_THIS_IS = (
    "This is Ringback, a SIP server. At this address it speaks SIP over WebSocket (RFC 7118), subprotocol sip.\n"
    "There is no page to see, but a phone within a page can connect here, JsSIP for one.\n"
    "\n"
    "A reverse proxy in front of it has to pass on the header fields Upgrade and Connection.\n"
)


class Refusal(NamedTuple):
    """What a request is told that opens no WebSocket, and what the operator is, unless that was their own decision."""

    status: HTTPStatus
    text: str
    complaint: str = ""


def _by_name(headers: Headers) -> dict[str, str]:
    return {name.lower(): ("; " if name.lower() == "cookie" else ", ").join(headers.get_all(name)) for name in headers}


def _asked(admit: Admit, handshake: Handshake) -> Refusal | None:
    """What the operator's function says."""
    try:
        verdict = admit(handshake)
        if verdict is True:
            return None
        status = HTTPStatus.FORBIDDEN if verdict is False else HTTPStatus(verdict)
        if status < HTTPStatus.BAD_REQUEST:
            raise ValueError(f"{status.value} refuses nothing")
    except Exception as error:  # noqa: BLE001 - whatever the function does wrong, its caller is told
        fault = f"admit() failed: {type(error).__name__}: {error}".replace("\n", " ")
        return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The server cannot say whether you may connect.\n", fault)
    return Refusal(status, f"{status.phrase}: who may connect here is decided by the operator of this server.\n")


class Admission:
    """Whether a handshake is let in: by the path, by the page's origin, by the subprotocol."""

    def __init__(self, rules: WebSocketRules) -> None:
        self._rules = rules

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self._rules.origins)

    def refusal(self, path: str, headers: Headers, client: str) -> Refusal | None:
        """What a request is told, None where it may open a WebSocket; `client` is the numeric address it came from."""
        rules = self._rules
        if rules.path and path.partition("?")[0] != rules.path:
            text = f"Nothing is here. SIP over WebSocket is at {rules.path} on this port.\n"
            return Refusal(HTTPStatus.NOT_FOUND, text, f"it asks for another path than {rules.path}")
        if not any(value.strip(" \t").lower() == "websocket" for value in headers.get_all("Upgrade")):
            return Refusal(HTTPStatus.UPGRADE_REQUIRED, WHAT_THIS_IS, "it asks for a page")
        for origin in headers.get_all("Origin"):
            if not self._origins.allow(origin):
                shown = origin[:100].encode("ascii", "backslashreplace").decode()
                text = f"A page of {shown} may not connect here: `origins` in [websocket] does not name it.\n"
                return Refusal(HTTPStatus.FORBIDDEN, text, text.strip())
        offered = [one.strip(" \t") for value in headers.get_all("Sec-WebSocket-Protocol") for one in value.split(",")]
        if SUBPROTOCOL not in offered:
            text = "The subprotocol has to be sip (RFC 7118 §4.1): Sec-WebSocket-Protocol: sip\n"
            return Refusal(HTTPStatus.BAD_REQUEST, text, "it does not offer the subprotocol sip")
        return None if rules.admit is None else _asked(rules.admit, Handshake(path, client, _by_name(headers)))

    def client(self, source: str, headers: Headers) -> str:
        """The numeric address that speaks: the source, or for whom trusted proxies say that they connect (X-Forwarded-For).

        Each proxy adds at the end whom it heard; what stands before the first stranger is that stranger's own word and counts for nothing.
        """
        if not self._is_proxy(source):
            return source
        hops = [hop.strip(" \t") for value in headers.get_all("X-Forwarded-For") for hop in value.split(",")]
        for hop in reversed(hops):
            try:
                source = str(ip_address(hop))
            except ValueError:
                break
            if not self._is_proxy(source):
                break
        return source

    def _is_proxy(self, host: str) -> bool:
        if not self._rules.trusted_proxies:
            return False
        address = ip_address(host.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._rules.trusted_proxies)
