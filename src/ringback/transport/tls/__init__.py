"""TLS beneath SIP (RFC 3261 §26, RFC 5922): what is shown, whom it is believed, and the stream it makes of a TCP connection."""

from ringback.transport.tls.contexts import CertificateFiles, Contexts, TlsError
from ringback.transport.tls.identity import Identities

__all__ = ["CertificateFiles", "Contexts", "Identities", "TlsError"]
