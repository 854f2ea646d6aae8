"""TLS endpoints and connections (RFC 3261 §18, §26.2; RFC 5922 §7.3, §7.4)."""

from __future__ import annotations

import asyncio
import ssl

from ringback.address import Endpoint, host_port
from ringback.message.derive import response_to
from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.transport.connection import Connection
from ringback.transport.limits import StreamLimits
from ringback.transport.tcp import MOST_ALIASES, TcpTransport
from ringback.transport.tls.contexts import Contexts
from ringback.transport.tls.identity import Identities, identities_of, numeric
from ringback.transport.tls.stream import TlsStream
from ringback.transport.tls.x509 import Certificate
from ringback.transport.user import TransportUser


class TlsTransport(TcpTransport):
    """TCP with a TLS stream between each socket and its connection.

    A server is believed only if its certificate names the domain that the connection was opened for; a client's names are kept.
    """

    transport = "TLS"

    def __init__(self, user: TransportUser, limits: StreamLimits) -> None:
        super().__init__(user, limits)
        self._contexts = user.tls or Contexts()
        if self._contexts.has_files and not self._contexts.is_loaded:
            self._contexts.load()

    def can_accept(self) -> bool:
        """Whether there is a certificate to show: without one, an endpoint only opens connections."""
        return self._contexts.accepting is not None

    async def open(self, host: str, port: int, advertised: str | None = None) -> Endpoint:
        """Listens, if there is a certificate to show; then our Via lets connections that we make be used to reach us (RFC 5923 §8.1)."""
        endpoint = await super().open(host, port, advertised)
        if self.transport == "TLS" and self.can_accept():
            endpoint.via = f"SIP/2.0/TLS {endpoint.sent_by};alias;branch="
        return endpoint

    def over(self, connection: Connection) -> asyncio.BufferedProtocol:
        """What enciphers the connection."""
        contexts = self._contexts
        if not contexts.is_loaded:
            contexts.load()
        context = contexts.accepting if connection.is_accepted else contexts.dialing
        assert context is not None
        name = None if connection.is_accepted or numeric(connection.domain) is not None else connection.domain
        return TlsStream(
            connection,
            context,
            shaken=self._authenticate,
            failed=self._complain,
            spoken_plainly=self._answer_in_plain,
            server_name=name,
        )

    def _authenticate(self, connection: Connection, tls: ssl.SSLObject) -> str | None:
        """Takes whom the peer has proven to be; says why a server is not the one we meant."""
        if not connection.is_accepted and not self._contexts.verifies:
            return None
        octets = tls.getpeercert(binary_form=True)
        if octets is not None:
            try:
                connection.peer = self.identities(Certificate.from_der(octets))
            except ValueError as error:
                return f"shows a certificate that {error}"
        if connection.is_accepted:
            connection.awaits_alias = bool(connection.peer.domains)
            return None
        if self.is_meant(connection):
            for domain in sorted(connection.peer.domains)[:MOST_ALIASES]:
                self.know(connection, domain)
            return None
        return f"shows a certificate for {connection.peer}, not for {connection.domain}"

    def identities(self, certificate: Certificate) -> Identities:
        """Whom a valid certificate names."""
        return identities_of(certificate)

    def is_meant(self, connection: Connection) -> bool:
        """Whether the server at the other end is the one that the connection was opened for."""
        return connection.peer.covers(connection.domain)

    def stuck(self, connection: Connection) -> None:
        """Gives up a connection that does not come about in time, and says so."""
        self._complain(connection, "does not finish the handshake")
        super().stuck(connection)

    def _complain(self, connection: Connection, reason: str) -> None:
        self.user.counts.failed_handshakes += 1
        flow = connection.flow
        peer = host_port(flow.host, flow.port)
        kind = reason.partition(" for ")[0]
        if connection.is_accepted:
            self.user.complain(f"in: {kind}", f"{self.transport} from {peer} to {flow.endpoint.sent_by} refused: it {reason}")
        else:
            name = "" if connection.domain == flow.host else f" for {connection.domain}"
            self.user.complain(f"out: {kind}", f"{self.transport} to {peer}{name} failed: it {reason}")

    def _answer_in_plain(self, connection: Connection, octets: bytes) -> bytes:
        """What a peer is told that speaks plain SIP on this port: nothing unless it sent a whole request."""
        message = parse_datagram(octets, self.user.message_limits)
        if isinstance(message, Request) and message.method != "ACK":
            return response_to(message, 400, f"This port speaks {self.transport}").to_bytes()
        return b""
