"""An application layer gateway (RFC 3665 §3.5): it stands in the path of signalling and media, and says so in the session descriptions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ringback.address import Flow, Target
from ringback.message.derive import response_to
from ringback.message.message import Message, Request, Response
from ringback.message.parser import Malformed
from ringback.testing import Network
from ringback.transport.transports import Transports


class Gateway:
    """Passes on what comes, over UDP, with its own address for the media; it keeps no transactions, but answers an INVITE with 100."""

    def __init__(self, network: Network, host: str, hostname: str, names: Mapping[str, Sequence[str]]) -> None:
        self._host = host
        self._hostname = hostname
        self._names = names
        self._count = 0
        self.transports: Transports = network.host(host, self._received, lambda flow, reason: None, batch_ended=lambda: None)

    async def open(self) -> None:
        """Listens."""
        await self.transports.open("UDP", self._host, 5060, self._hostname)

    def _received(self, message: Message | Malformed, data: bytes, flow: Flow) -> None:
        if isinstance(message, Request):
            self._forward(message, flow)
        elif isinstance(message, Response):
            message = message.copy()
            message.remove_top_via()
            if message.status == 100:
                return
            self._relay_media(message)
            self._send(message, message.via.params.get("received") or message.via.host)

    def _forward(self, request: Request, flow: Flow) -> None:
        headers = request.headers
        via = request.via
        via.params["received"] = flow.host
        headers.replace_first("Via", via)
        trying: Response | None = None
        if request.method == "INVITE":
            trying = response_to(request, 100)
            headers.prepend("Record-Route", f"<sip:{self._hostname};lr>")
        if request.routes and str(request.routes[0].uri).startswith(f"sip:{self._hostname}"):
            headers.remove_first("Route")
        headers.set("Max-Forwards", (request.max_forwards or 70) - 1)
        self._count += 1
        headers.prepend("Via", f"SIP/2.0/UDP {self._hostname}:5060;branch=z9hG4bKgateway{self._count}")
        self._relay_media(request)
        next_hop = request.routes[0].uri if request.routes else request.uri
        self._send(request, re.sub(r"sip:(.*@)?", "", str(next_hop)).partition(";")[0].partition(":")[0])
        if trying is not None:
            self.transports.send(trying.to_bytes(), flow)

    def _relay_media(self, message: Message) -> None:
        if message.body:
            message.body = re.sub(rb"c=IN IP4 [^\r]*", b"c=IN IP4 " + self._hostname.encode(), message.body)
            message.headers.set("Content-Length", len(message.body))

    def _send(self, message: Message, host: str) -> None:
        address = self._names.get(host, [host])[0]
        flow = self.transports.flow_to(Target("UDP", address, 5060))
        assert flow is not None
        self.transports.send(message.to_bytes(), flow)
