"""`[registrar]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ringback.server.config.fault import ConfigError
from ringback.server.config.value import Count, Interval


class RegistrarConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the registrar keeps bindings (RFC 3261 §10.3)."""

    default_expires: Annotated[Interval, Meta(description="Seconds a binding lasts when its REGISTER names no time.")] = 3600
    min_expires: Annotated[Interval, Meta(description="A shorter wish is answered 423 Interval Too Brief (unless it is 0).")] = 60
    max_expires: Annotated[Interval, Meta(description="A longer wish is granted this many seconds.")] = 86_400
    max_contacts: Annotated[Count, Meta(description="Bindings of one address-of-record, and Contacts of one REGISTER.")] = 10
    foreign_contacts: Annotated[
        bool,
        Meta(
            description="Whether a Contact may name another host than the one its REGISTER came from. "
            "Calls to such a contact reach a party that never asked for them."
        ),
    ] = False

    def __post_init__(self) -> None:
        if not self.min_expires <= self.default_expires <= self.max_expires:
            raise ConfigError(
                f"must lie between min_expires ({self.min_expires}) and max_expires ({self.max_expires}), is {self.default_expires}",
                "registrar.default_expires",
            )
