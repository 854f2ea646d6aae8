"""`[nat]`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class NatConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How phones behind a NAT are reached that know nothing of it (RFC 3581, RFC 5626)."""

    mode: Annotated[
        Literal["auto", "off"],
        Meta(
            description="auto: a phone whose Contact is not where it sends from is called down the flow it registered over; "
            "off: every Contact is taken at its word."
        ),
    ] = "auto"
    keepalive: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="Seconds from one OPTIONS to the next that keeps the way to such a phone open over UDP; 0 sends none. "
            "Most NATs forget a silent flow after 30 to 60 seconds.",
        ),
    ] = 25.0
