"""One enciphered stream between a socket and a connection (RFC 8446, RFC 5246): handshake, records, the goodbye (RFC 5923 §8.3)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from ringback.transport.connection import CLOSED

if TYPE_CHECKING:
    from ringback.transport.connection import Connection

# The first octet of every TLS connection: a record of the handshake (RFC 8446 §5.1).
HANDSHAKE = 0x16


class TlsStream(asyncio.Transport, asyncio.BufferedProtocol):
    """The protocol of the socket below and the transport of the connection above.

    asyncio has such a thing, with a buffer of 256 KiB for each connection; this one uses the connection's own, which all of them share.
    """

    def __init__(
        self,
        connection: Connection,
        context: ssl.SSLContext,
        *,
        shaken: Callable[[Connection, ssl.SSLObject], str | None],
        failed: Callable[[Connection, str], None],
        spoken_plainly: Callable[[Connection, bytes], bytes],
        server_name: str | None = None,
    ) -> None:
        """`server_name` is asked of a server (RFC 6066 §3); `shaken` says after the handshake what is wrong with the peer, if anything.

        `failed` hears why there is no TLS with a peer; `spoken_plainly` gets the first octets of one that speaks none, and answers.
        """
        super().__init__()
        self._connection = connection
        self._context = context
        self._shaken = shaken
        self._failed = failed
        self._spoken_plainly = spoken_plainly
        self._server_name = server_name
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject
        self._below: asyncio.Transport
        self._has_heard = False
        self._has_shaken = False
        self._has_ended = False
        self._is_reading = False

    # The protocol of the socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins the handshake."""
        self._below = cast("asyncio.Transport", transport)
        connection = self._connection
        connection.joined(self)
        if connection.state == CLOSED:
            return
        try:
            self._tls = self._context.wrap_bio(
                self._incoming, self._outgoing, server_side=connection.is_accepted, server_hostname=self._server_name
            )
        except ValueError:  # UnicodeError, too: no host can have such a name
            self._fail("no certificate can bear this name")
            return
        self._shake()

    def get_buffer(self, sizehint: int) -> memoryview:
        """One buffer for all connections: what is in it is taken out at once, first the ciphertext, then what that said."""
        return self._connection.get_buffer(sizehint)

    def buffer_updated(self, count: int) -> None:
        """Deciphers what came, and passes it on."""
        connection = self._connection
        if self._has_ended or connection.state == CLOSED:
            connection.buffer_updated(count)
            return
        octets = connection.get_buffer(count)[:count]
        if not self._has_heard:
            self._has_heard = True
            if octets[0] != HANDSHAKE and connection.is_accepted:
                self._below.write(self._spoken_plainly(connection, bytes(octets)))
                self._fail("speaks no TLS")
                return
        self._incoming.write(octets)
        if self._has_shaken:
            self._decipher()
        else:
            self._shake()

    def eof_received(self) -> bool:
        """The peer has ended, with or without a goodbye: a message is whole by its Content-Length, so nothing can be cut off unseen."""
        if not self._has_shaken:
            self._fail("ended the handshake")
            return False
        return bool(self._connection.eof_received())

    def pause_writing(self) -> None:
        """More waits to be written than may."""
        self._connection.pause_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """The end of the socket."""
        if not self._has_shaken:
            self._fail("ended the handshake")
        self._has_ended = True
        self._connection.connection_lost(error)
        # They know each other: without this they, and what OpenSSL keeps for them, would wait for the garbage collector.
        del self._connection

    # The handshake and what follows it.

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()
            self._fail(fault_of(error))
            return
        self._has_shaken = True
        fault = self._shaken(self._connection, self._tls)
        if fault is not None:
            self._fail(fault)
            return
        self._flush()
        self._connection.connection_made(self)
        self._decipher()

    def _decipher(self) -> None:
        connection = self._connection
        buffer = connection.get_buffer(-1)
        tls, incoming = self._tls, self._incoming
        self._is_reading = True
        try:
            while not self._has_ended and connection.state != CLOSED:
                count = tls.read(len(buffer), buffer)
                if not count:
                    self._take_goodbye()
                    break
                connection.buffer_updated(count)  # type: ignore[arg-type]  # with a buffer it gives a number
                if not incoming.pending and not tls.pending():
                    # Asking for more would only be answered by an exception.
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(fault_of(error))
        finally:
            self._is_reading = False
            self._flush()

    def _take_goodbye(self) -> None:
        self._connection.eof_received()
        self.close()

    def _fail(self, reason: str) -> None:
        connection = self._connection
        if connection.state != CLOSED:
            self._failed(connection, reason)
            connection.fail(f"TLS: {reason}")

    def _flush(self) -> None:
        if not self._is_reading and self._outgoing.pending and not self._below.is_closing():
            self._below.write(self._outgoing.read())

    # The transport of the connection.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the socket knows."""
        return self._below.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Bounds what waits in the socket: nothing waits here."""
        self._below.set_write_buffer_limits(high, low)

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._has_ended or self._below.is_closing()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Enciphers and writes."""
        if not self._has_ended:
            self._tls.write(data)
            self._flush()

    def can_write_eof(self) -> bool:
        """The goodbye ends one direction (RFC 8446 §6.1)."""
        return True

    def write_eof(self) -> None:
        """Says goodbye; what still comes is thrown away (RFC 5923 §8.3)."""
        self._say_goodbye()
        self._below.write_eof()

    def close(self) -> None:
        """Says goodbye and closes once that is written."""
        self._say_goodbye()
        self._below.close()

    def abort(self) -> None:
        """Closes at once."""
        self._has_ended = True
        self._below.abort()

    def _say_goodbye(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._has_shaken:
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                # Want of the peer's own goodbye, for which nobody waits.
                pass
            # Now, even in the midst of reading: afterwards the socket takes no more.
            self._is_reading = False
            self._flush()


_FAULTS = {
    "WRONG_VERSION_NUMBER": "speaks no TLS",
    "RECORD_LAYER_FAILURE": "speaks no TLS",
    "HTTP_REQUEST": "speaks no TLS",
    "SSLV3_ALERT_UNEXPECTED_MESSAGE": "speaks no TLS",
    "UNSUPPORTED_PROTOCOL": "speaks no TLS newer than 1.1",
    "TLSV1_ALERT_PROTOCOL_VERSION": "speaks no TLS newer than 1.1",
    "NO_SHARED_CIPHER": "has no cipher suite in common with us",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "has nothing in common with us",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "shows no client certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "wants a client certificate, and we have none",
    "TLSV1_ALERT_UNKNOWN_CA": "does not trust the issuer of our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "says that our certificate has expired",
}


def fault_of(error: ssl.SSLError) -> str:
    """What went wrong, as the end of a sentence about the peer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not accepted: {error.verify_message}"
    reason = error.reason or str(error)
    return _FAULTS.get(reason, "breaks TLS: " + reason.lower().replace("_", " "))
