"""`[limits]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ringback.message.limits import MessageLimits
from ringback.server.config.value import Count, Seconds
from ringback.transaction.layer import MAX_TRANSACTIONS
from ringback.transport.limits import StreamLimits

_MESSAGE = MessageLimits()
_STREAM = StreamLimits()


class LimitsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server takes from a peer before it refuses."""

    message_bytes: Annotated[int, Meta(ge=1300, le=16_777_216, description="A whole message; 513 above.")] = _MESSAGE.message_bytes
    header_line_bytes: Annotated[int, Meta(ge=128, le=16_777_216, description="One header line.")] = _MESSAGE.header_line_bytes
    header_count: Annotated[int, Meta(ge=16, le=100_000, description="Header lines of one message.")] = _MESSAGE.header_count
    uri_bytes: Annotated[int, Meta(ge=64, le=16_777_216, description="A Request-URI; 414 above.")] = _MESSAGE.uri_bytes
    via_count: Annotated[int, Meta(ge=1, le=10_000, description="Via values of one message.")] = _MESSAGE.via_count
    route_count: Annotated[int, Meta(ge=1, le=10_000, description="Route values of one message.")] = _MESSAGE.route_count
    transactions: Annotated[Count, Meta(description="Transactions alive at once; above, new requests get 503 with Retry-After.")] = (
        MAX_TRANSACTIONS
    )
    half_open_per_source: Annotated[
        Count, Meta(description="INVITEs without a final answer from one address that is not authenticated; 503 above.")
    ] = 20
    tcp_connections_per_source: Annotated[
        Count, Meta(description="Connections from one IPv4 address or IPv6 /64, over TCP, TLS and WebSocket together.")
    ] = _STREAM.per_address
    tcp_first_request_seconds: Annotated[Seconds, Meta(description="A new connection without a whole message is closed.")] = (
        _STREAM.first_request
    )
    tcp_message_seconds: Annotated[Seconds, Meta(description="A message begun and not ended closes its connection.")] = _STREAM.message
    tcp_idle_seconds: Annotated[Seconds, Meta(description="A connection on which nothing passes is closed.")] = _STREAM.idle
    tcp_write_buffer_bytes: Annotated[
        int, Meta(ge=65_536, le=1_073_741_824, description="What may wait for a peer that does not read; then it is closed.")
    ] = _STREAM.write_bytes

    @property
    def message(self) -> MessageLimits:
        """The bounds the parsers take."""
        return MessageLimits(**{name: getattr(self, name) for name in MessageLimits._fields})

    @property
    def stream(self) -> StreamLimits:
        """The bounds connections have."""
        return StreamLimits(
            first_request=self.tcp_first_request_seconds,
            message=self.tcp_message_seconds,
            idle=self.tcp_idle_seconds,
            per_address=self.tcp_connections_per_source,
            write_bytes=self.tcp_write_buffer_bytes,
        )
