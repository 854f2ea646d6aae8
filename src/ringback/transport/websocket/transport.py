"""WS and WSS: SIP over WebSocket over TCP and over TLS (RFC 7118)."""

from ringback.transport.connection import Connection
from ringback.transport.tcp import TcpTransport
from ringback.transport.tls.identity import Identities, canonical, numeric
from ringback.transport.tls.transport import TlsTransport
from ringback.transport.tls.x509 import Certificate
from ringback.transport.websocket.connection import WebSocketConnection

_PAGE_IN_PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 43\r\n\r\n"
    b"This port speaks TLS: use wss:// or https.\n"
)


class WebSocketTransport(TcpTransport):
    """Every WS endpoint of ours and every connection, accepted or opened."""

    transport = "WS"
    connection = WebSocketConnection


class SecureWebSocketTransport(TlsTransport):
    """Every WSS endpoint of ours and every connection, accepted or opened."""

    transport = "WSS"
    connection = WebSocketConnection

    def identities(self, certificate: Certificate) -> Identities:
        """The names that the web goes by, not those of SIP (RFC 7118 §9.1, RFC 6455 §4.1; RFC 9110 §4.3.4)."""
        return Identities(frozenset(map(canonical, certificate.dns_names)), frozenset(certificate.addresses))

    def is_meant(self, connection: Connection) -> bool:
        """Whether the server is the one that was meant; a certificate for `*.example.org` is one for each host of that domain."""
        domain = connection.domain
        names = connection.peer.domains
        return super().is_meant(connection) or (numeric(domain) is None and f"*.{canonical(domain).partition('.')[2]}" in names)

    def _answer_in_plain(self, connection: Connection, octets: bytes) -> bytes:
        return _PAGE_IN_PLAIN if b" HTTP/1." in octets.partition(b"\r\n")[0] else super()._answer_in_plain(connection, octets)
