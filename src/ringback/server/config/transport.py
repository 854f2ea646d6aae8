"""`[transport]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class TransportConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How messages are fetched and sent."""

    udp_round_ms: Annotated[
        float,
        Meta(
            ge=0,
            le=50,
            description="Under load, UDP is looked at every so many milliseconds instead of at every datagram: less CPU for each call, "
            "that much more time for each message. 0 never waits.",
        ),
    ] = 4.0
