"""The pages that may open a WebSocket, by their origin (RFC 6454, RFC 6455 §10.2)."""

from __future__ import annotations

from collections.abc import Iterable

from ringback.transport.limits import ANY_ORIGIN


class Origins:
    """The pages that may connect, by their origin (RFC 6454): `https://phone.example.org`, `https://*.example.org`, `*` for every one.

    Only a browser names an origin, and only there a page acts for a user who knows nothing of it: whoever names none is let in.
    """

    __slots__ = ("_endings", "_exact", "_is_any")

    def __init__(self, allowed: Iterable[str]) -> None:
        """Raises `ValueError` that says how an origin is written."""
        self._exact: set[str] = set()
        self._endings: list[tuple[str, str]] = []
        self._is_any = False
        for text in allowed:
            scheme, separator, host = text.lower().partition("://")
            if text == ANY_ORIGIN:
                self._is_any = True
            elif text == "null":
                # What a browser says of a page that came from a file (RFC 6454 §6.2).
                self._exact.add(text)
            elif scheme not in ("http", "https") or not separator or not host or any(one in host for one in "/?#@, "):
                raise ValueError("an origin is written https://HOST or http://HOST:PORT, without a path; * is every page")
            elif "*" in host.removeprefix("*."):
                raise ValueError("only a whole first label may be *, as in https://*.example.org")
            elif host.startswith("*."):
                self._endings.append((f"{scheme}://", host[1:]))
            else:
                self._exact.add(f"{scheme}://{host}")

    def allow(self, origin: str) -> bool:
        """Whether a page of this origin may connect."""
        if self._is_any:
            return True
        origin = origin.lower()
        return origin in self._exact or any(origin.startswith(scheme) and origin.endswith(end) for scheme, end in self._endings)
