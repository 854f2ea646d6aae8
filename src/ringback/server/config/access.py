"""`[access]`."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.digest import ALGORITHMS
from ringback.server.config.fault import ConfigError, shown
from ringback.server.config.value import domain_names


class AccessConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who has to prove who they are, and how (RFC 3261 §22, RFC 8760); with auth = "digest"."""

    algorithms: Annotated[
        list[Literal["SHA-512-256", "SHA-256", "MD5"]],
        Meta(description="What a password may be proven with, the best first. Old phones know MD5 alone."),
    ] = msgspec.field(default_factory=lambda: ["SHA-256", "MD5"])
    nonce_seconds: Annotated[
        int, Meta(ge=10, le=86_400, description="How long a client may answer one challenge; after that it is asked anew.")
    ] = 300
    trusted: Annotated[
        list[str],
        Meta(
            description="Addresses and networks whose requests need no password: proxies of other domains, trunks. REGISTER always does. "
            "Over UDP a source address can be forged: name only networks where that is kept out.",
            examples=[["192.0.2.111", "2001:db8::/32"]],
        ),
    ] = msgspec.field(default_factory=list)
    guests: Annotated[
        bool,
        Meta(
            description="Whether callers of other domains who have an account in the callee's domain, too, may prove that by its password; "
            "else they get 403."
        ),
    ] = False
    peers: Annotated[
        list[str],
        Meta(
            description="Domains whose users may call those served here, from servers that prove to be of their domain by a certificate: "
            'over TLS, with tls.client_certificates "optional" or "required".',
            examples=[["partner.example"]],
        ),
    ] = msgspec.field(default_factory=list)
    accept_strangers: Annotated[
        bool,
        Meta(description="Whether callers of domains not served here may reach the users of those that are, unproven; else they get 403."),
    ] = False

    def __post_init__(self) -> None:
        force_setattr(self, "peers", domain_names(self.peers, "access.peers"))
        if not self.algorithms or len(set(self.algorithms)) < len(self.algorithms):
            raise ConfigError("must name at least one algorithm, and none twice", "access.algorithms")
        for name in self.algorithms:
            if name.lower() not in ALGORITHMS:
                raise ConfigError(f"this Python was built without {name}", "access.algorithms")
        for index, text in enumerate(self.trusted):
            try:
                ipaddress.ip_network(text)
            except ValueError:
                raise ConfigError(
                    f"{shown(text)} is no address or network; allowed are such as 192.0.2.111, 192.0.2.0/24 or 2001:db8::/32",
                    f"access.trusted[{index}]",
                ) from None

    @property
    def networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """`trusted`, taken apart."""
        return [ipaddress.ip_network(text) for text in self.trusted]
