"""`[drain]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ringback.server.config.value import Seconds


class DrainConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the server ends, on SIGTERM or `ringback ctl drain`."""

    seconds: Annotated[Seconds, Meta(description="Transactions still open may take this long (32 is 64 × T1).")] = 32.0
    calls_seconds: Annotated[
        Seconds,
        Meta(
            description="So long at least requests of calls that are up still pass: a proxy does not know when they end. 0 is right where "
            "the server starts again at the same address: then it passes them on as before."
        ),
    ] = 0.0
