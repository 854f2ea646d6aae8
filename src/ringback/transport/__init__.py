"""Where octets go: the only sockets of Ringback (RFC 3261 §18, RFC 3581, RFC 5626 §4.4.1)."""

from ringback.transport.limits import DEFAULT_STREAM_LIMITS, StreamLimits
from ringback.transport.transports import KINDS, Transport, Transports

__all__ = ["DEFAULT_STREAM_LIMITS", "KINDS", "StreamLimits", "Transport", "Transports"]
