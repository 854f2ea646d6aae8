"""`[edge]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri
from ringback.server.config.fault import ConfigError, shown


class EdgeConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edge proxy between phones and the registrar of their domain (RFC 5626 §5)."""

    registrar: Annotated[
        str | None,
        Meta(
            description="Where every request of a phone goes on to: the registrar, or the proxy before it. Nobody is registered here then, "
            "and asked for a password.",
            examples=["sip:registrar.example.org"],
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.registrar is None:
            return
        try:
            uri = SipUri.parse(self.registrar)
        except SipParseError as error:
            reason = f"{shown(self.registrar)} is no SIP URI ({error.reason}); write it such as sip:registrar.example.org"
            raise ConfigError(reason, "edge.registrar") from None
        if uri.user_text is not None or uri.headers_text is not None:
            reason = f"{shown(self.registrar)} must name a server and no user, such as sip:registrar.example.org"
            raise ConfigError(reason, "edge.registrar")
        uri.params["lr"] = None
        force_setattr(self, "registrar", str(uri))
