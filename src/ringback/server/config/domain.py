"""`[domain."example.org"]`: what is said of one domain."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Mode = Literal["stateful", "stateless", "redirect"]


class DomainConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests for the users of one domain are treated; a table for each: [domain."example.org"]."""

    mode: Annotated[
        Mode,
        Meta(
            description="What the server is to them: a proxy with state, a proxy without (RFC 3261 §16.11: first contact only, "
            "no forking), or a redirect server (§8.3: callers are told where to go).",
        ),
    ] = "stateful"
