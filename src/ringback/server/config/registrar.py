"""`[registrar]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri
from ringback.server.config.fault import ConfigError, shown
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
            description="Whether calls go to a Contact that names another host than the one its REGISTER came from, and not back down the "
            "way that came. Such calls may reach a party that never asked for them."
        ),
    ] = False
    multicast: Annotated[
        bool,
        Meta(description="Whether REGISTER is also taken from 224.0.1.75, the group of all SIP servers on a local network (§10.2.6)."),
    ] = False
    path_unasked: Annotated[
        bool,
        Meta(
            description="Whether the Path that a proxy adds is kept for a phone that does not say it knows of Path (RFC 3327); "
            "else it is answered 420 Bad Extension."
        ),
    ] = False
    service_route: Annotated[
        list[str],
        Meta(
            description="Proxies that registered phones shall send their requests through, the nearest first (Service-Route, RFC 3608).",
            examples=[["sip:proxy.example.org;lr"]],
        ),
    ] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.min_expires <= self.default_expires <= self.max_expires:
            raise ConfigError(
                f"must lie between min_expires ({self.min_expires}) and max_expires ({self.max_expires}), is {self.default_expires}",
                "registrar.default_expires",
            )
        for index, text in enumerate(self.service_route):
            _check_route(text, f"registrar.service_route[{index}]")


def _check_route(text: str, key: str) -> None:
    try:
        uri = SipUri.parse(text)
    except SipParseError as error:
        raise ConfigError(f"{shown(text)} is no SIP URI ({error.reason}); write it such as sip:proxy.example.org;lr", key) from None
    if not uri.lr:
        raise ConfigError(f"{shown(text)} must end in ;lr, as every route does (RFC 3608 §5)", key)
