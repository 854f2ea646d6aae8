"""`[log]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct


class LogConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server says of itself, and where."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least that is said. `ringback ctl log-level` changes it while the server runs."),
    ] = "info"
    format: Annotated[Literal["text", "json"], Meta(description="Lines for people, or one JSON object a line.")] = "text"
    file: Annotated[
        Path | None,
        Meta(
            description="Where it is said instead of standard error. It may be renamed at any time: a new one begins.",
            examples=["ringback.log"],
        ),
    ] = None
    security: Annotated[
        Path | None,
        Meta(
            description="Who showed a wrong password or asked for what is forbidden, a line each, for fail2ban: its filter `asterisk` "
            "reads them as they are.",
            examples=["/var/log/ringback/security.log"],
        ),
    ] = None
