"""The ACK of a 2xx: made by the core, sent past the transactions, sent again for every repetition of the 2xx (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.address import Endpoint, Flow, Target
from ringback.message.message import Request

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore


class Acknowledgement:
    """One ACK, on its way as soon as its next hop is known."""

    __slots__ = ("_ack", "_core", "_flow", "cseq", "octets", "time")

    def __init__(self, core: AgentCore, ack: Request, next_hop: str) -> None:
        self.cseq = ack.cseq.number
        self.time = core.loop.time()
        """When it was made."""
        self._core = core
        self._ack: Request | None = ack
        self.octets = b""
        """The ACK as it was sent; empty where it was not."""
        self._flow: Flow | None = None
        if not ack.body:
            ack.headers.append("Content-Length", 0)
        ack.headers.prepend("Via", "")
        targets = core.resolver.known(next_hop, core.loop.time())
        if targets is None:
            core.resolver.ask(next_hop, self._found)
        else:
            self._found(targets)

    def _found(self, targets: list[Target]) -> None:
        for target in targets:
            addressed = self._core.stack.address(target, f"z9hG4bK{self._core.token()}", self._render, self._core.prefer)
            if addressed is not None:
                self._flow, self.octets = addressed
                self._ack = None
                self.send()
                return

    def _render(self, via: str, _: Endpoint) -> bytes:
        assert self._ack is not None, "it was not sent yet"
        self._ack.headers.replace_first("Via", via)
        return self._ack.to_bytes()

    def send(self) -> None:
        """Sends it, once more if it was sent before. Where nothing leads to the peer nothing is sent: its own time runs out then."""
        if self._flow is not None:
            self._core.layer.outgoing.append((self.octets, self._flow))
            self._core.stack.flush()
