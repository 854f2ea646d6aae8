"""The kinds of value that several tables have."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from msgspec import Meta

from ringback.server.config.fault import ConfigError, shown

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Interval = Annotated[int, Meta(ge=1, le=4_294_967_295)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]


def domain_name(text: str) -> str:
    """A domain as it is compared: lower case, no final dot, IPv6 without brackets. Raises `ConfigError` where it is none."""
    domain = text.lower().removesuffix(".") if text.isascii() else text
    if not _is_host(domain):
        raise ConfigError(f"{shown(text)} is no domain; allowed is a host name or address such as example.org, [::1] or 192.0.2.1")
    # Brackets belong to the writing of a URI, not to its host.
    return str(ipaddress.ip_address(domain[1:-1])) if domain.startswith("[") else domain


def domain_names(names: list[str], key: str) -> list[str]:
    """Domain names as they are compared, each once."""
    result: dict[str, None] = {}
    for index, name in enumerate(names):
        try:
            result[domain_name(name)] = None
        except ConfigError as error:
            raise ConfigError(error.reason, key if key == "advertise" else f"{key}[{index}]") from None
    return list(result)


def _is_host(text: str) -> bool:
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        return ":" in text and _is_address(text)
    labels = text.split(".")
    if labels[-1].isdigit():
        return _is_address(text)
    return text.isascii() and len(text) <= 253 and all(map(_is_label, labels))


def _is_label(text: str) -> bool:
    """One part of a host name (RFC 3261 §25.1 `domainlabel`)."""
    return 0 < len(text) <= 63 and text.replace("-", "").isalnum() and text[0] != "-" and text[-1] != "-"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    # A zone means something on this machine only; no peer could use it.
    return "%" not in text
