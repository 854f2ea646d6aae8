"""`[relay]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.server.config.value import domain_names


class RelayConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which domains of others this server sends requests to."""

    allow: Annotated[
        list[str],
        Meta(description="Domains not served here that requests may go to; none by default: no open relay.", examples=[["example.net"]]),
    ] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        force_setattr(self, "allow", domain_names(self.allow, "relay.allow"))
