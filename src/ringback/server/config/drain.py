"""`[drain]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ringback.server.config.value import Seconds


class DrainConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the server ends."""

    seconds: Annotated[Seconds, Meta(description="On SIGTERM, transactions still open may take this long (32 is 64 × T1).")] = 32.0
