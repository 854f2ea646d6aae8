"""`[dns]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.server.config.fault import ConfigError, shown
from ringback.server.config.value import domain_names
from ringback.transport.resolver import NameServers
from ringback.transport.resolver.nameservers import nameserver


class DnsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How names are looked up: where a domain's servers are (RFC 3263), and what a telephone number is (ENUM, RFC 6116)."""

    nameservers: Annotated[
        list[str],
        Meta(
            description="The name servers asked, as ADDRESS or ADDRESS:PORT; none: those of the system (/etc/resolv.conf).",
            examples=[["127.0.0.1:5353"]],
        ),
    ] = msgspec.field(default_factory=list)
    server_seconds: Annotated[
        float, Meta(ge=0.05, le=60, description="How long one name server is waited for before the next one is asked.")
    ] = 2.0
    tries: Annotated[int, Meta(ge=1, le=10, description="How often each name server is asked.")] = 2
    question_seconds: Annotated[
        float, Meta(ge=0.05, le=60, description="How long one question may take in all; what is known by then has to do.")
    ] = 5.0
    enum: Annotated[
        list[str],
        Meta(
            description="Where telephone numbers (tel: URIs) are looked up, in this order: the suffixes of their domains. None: nowhere.",
            examples=[["e164.arpa"]],
        ),
    ] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        checked = []
        for index, text in enumerate(self.nameservers):
            try:
                checked.append(nameserver(text))
            except ValueError as error:
                raise ConfigError(f"{shown(text)} {error}", f"dns.nameservers[{index}]") from None
        force_setattr(self, "nameservers", checked)
        force_setattr(self, "enum", domain_names(self.enum, "dns.enum"))

    def questions(self) -> NameServers | None:
        """Who is asked; None for whoever is asked anyway."""
        if not self.nameservers and (self.server_seconds, self.tries) == (2.0, 2):
            return None
        return NameServers(self.nameservers, self.server_seconds, self.tries)
