"""A host that has two addresses on a simulated network, as a phone has that goes from one network to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ringback.address import Endpoint, Flow, Target
from ringback.testing import Network
from ringback.transport.transports import Transports


class TwoHomes:
    """What `Transports` are, over two simulated hosts. Without a preference it sends from the first."""

    def __init__(self, network: Network, first: str, second: str, *callbacks: Any, batch_ended: Callable[[], None], **_: Any) -> None:
        self._homes: dict[str, Transports] = {host: network.host(host, *callbacks, batch_ended=batch_ended) for host in (first, second)}

    @property
    def endpoints(self) -> list[Endpoint]:
        """The endpoints of both."""
        return [endpoint for home in self._homes.values() for endpoint in home.endpoints]

    async def open(self, transport: str, host: str, port: int, advertised: str | None = None) -> Endpoint:
        """Listens at one of the two addresses."""
        return await self._homes[host].open(transport, host, port, advertised)

    def gather(self, udp_round: float) -> None:
        """Looks at every datagram as it comes: nothing here is ever under load."""

    def watch(self, closed: Callable[[Flow], None] | None) -> None:
        """Tells of the end of connections at both."""
        for home in self._homes.values():
            home.watch(closed)

    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None:
        """A flow from the home of the preferred endpoint."""
        for home in self._homes.values():
            if prefer is None or prefer in home.endpoints:
                return home.flow_to(target, prefer)
        return None

    def is_open(self, flow: Flow) -> bool:
        """Whether something can still be sent over a flow."""
        return self._homes[flow.endpoint.host].is_open(flow)

    def send(self, data: bytes, flow: Flow) -> None:
        """Sends from where the flow begins."""
        self._homes[flow.endpoint.host].send(data, flow)

    async def close(self) -> None:
        """Leaves both."""
        for home in self._homes.values():
            await home.close()
