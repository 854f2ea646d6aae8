"""What a client says of itself when it wants a WebSocket (RFC 6455 §4.1, §10.5), for whoever decides about it (RFC 7118 §7)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping

# What a cookie's value may stand in (RFC 6265 §4.1.1).
_QUOTES = '"'


class Handshake:
    """One HTTP request: `path` with its query, `source`, the numeric address it came from, `headers` by name in lower case."""

    __slots__ = ("headers", "path", "source")

    def __init__(self, path: str, source: str, headers: Mapping[str, str]) -> None:
        self.path = path
        self.source = source
        self.headers = headers

    @property
    def origin(self) -> str | None:
        """The page's origin; None outside of browsers."""
        return self.headers.get("origin")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that the browser has for this host (RFC 6265 §5.4); of two with one name, the first."""
        cookies: dict[str, str] = {}
        for pair in self.headers.get("cookie", "").split(";"):
            name, separator, value = pair.strip(" \t").partition("=")
            if separator:
                cookies.setdefault(name, value.strip(_QUOTES))
        return cookies

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password of HTTP's Basic authentication (RFC 7617), None where there are none."""
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, separator, password = b64decode(encoded.strip(" "), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return (user, password) if separator else None
