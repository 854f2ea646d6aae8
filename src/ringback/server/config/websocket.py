"""`[websocket]`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ringback.server.config.fault import ConfigError, shown
from ringback.transport.limits import ANY_ORIGIN, Admit, WebSocketRules
from ringback.transport.websocket.origins import Origins


class WebSocketConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Phones in browsers: who may connect by ws:// and wss:// (RFC 7118)."""

    origins: Annotated[
        list[str] | None,
        Meta(
            description="The pages that may connect, by their origin: https://HOST or http://HOST:PORT, https://*.HOST, or * for every "
            "page. Without it every page may, since it needs the password of a user anyway; where nobody needs one (auth none), no page "
            "may. What is no browser names no origin and may always connect.",
            examples=[["https://phone.example.org"]],
        ),
    ] = None
    path: Annotated[
        str, Meta(description="The only path at which WebSockets are opened; without it, any path will do.", examples=["/ws"])
    ] = ""
    ping_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3_600,
            description="A browser of which nothing was heard for so long is asked for a sign of life, and given up 20 s later if it gives "
            "none. Less than what proxies on the way wait for: nginx closes after 60 s. 0 never asks.",
        ),
    ] = 30.0
    trusted_proxies: Annotated[
        list[str],
        Meta(
            description="Reverse proxies that are believed whom they connect for (X-Forwarded-For): addresses and networks. Without it a "
            "proxy's address is that of every browser behind it.",
            examples=[["127.0.0.1", "2001:db8::/64"]],
        ),
    ] = msgspec.field(default_factory=list)

    admission: Annotated[
        Path | None,
        Meta(
            description="A Python file of yours with admit(handshake), which looks at the cookies, Basic credentials or path of who wants "
            "to connect: True lets in, False or a status such as 401 does not. It must not wait for anything.",
            examples=["admission.py"],
        ),
    ] = None

    def __post_init__(self) -> None:
        for index, origin in enumerate(self.origins or ()):
            try:
                Origins([origin])
            except ValueError as error:
                raise ConfigError(f"{shown(origin)}: {error}", f"websocket.origins[{index}]") from None
        if self.path and (not self.path.startswith("/") or any(one in self.path for one in "?# ")):
            raise ConfigError(f"{shown(self.path)} is no path; it begins with / and has no ? or #", "websocket.path")
        for index, text in enumerate(self.trusted_proxies):
            try:
                ipaddress.ip_network(text)
            except ValueError:
                raise ConfigError(
                    f"{shown(text)} is no address or network; allowed are such as 127.0.0.1 or 192.0.2.0/24",
                    f"websocket.trusted_proxies[{index}]",
                ) from None

    def rules(self, *, is_open: bool, admit: Admit | None = None) -> WebSocketRules:
        """The same for the transports; `is_open` says that nobody is asked for a password, `admit` is what `admission` holds."""
        origins = (() if is_open else (ANY_ORIGIN,)) if self.origins is None else tuple(self.origins)
        proxies = tuple(ipaddress.ip_network(text) for text in self.trusted_proxies)
        return WebSocketRules(origins, self.path, proxies, self.ping_seconds, admit=admit)
