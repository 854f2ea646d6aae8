"""WS and WSS: SIP over WebSocket over TCP and over TLS (RFC 7118)."""

from ringback.transport.tcp import TcpTransport
from ringback.transport.tls.transport import TlsTransport
from ringback.transport.websocket_connection import WebSocketConnection


class WebSocketTransport(TcpTransport):
    """Every WS endpoint of ours and every connection, accepted or opened."""

    transport = "WS"
    connection = WebSocketConnection


class SecureWebSocketTransport(TlsTransport):
    """Every WSS endpoint of ours and every connection, accepted or opened."""

    transport = "WSS"
    connection = WebSocketConnection
