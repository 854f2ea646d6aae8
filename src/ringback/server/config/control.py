"""`[control]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct


class ControlConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `ringback ctl` reaches the running server."""

    enabled: Annotated[bool, Meta(description="Whether there is a control socket: a Unix socket that its owner alone may use.")] = True
    socket: Annotated[
        Path | None,
        Meta(
            description="Where it is. Without it, control.sock in the data folder; none where data is kept in memory only.",
            examples=["/run/ringback/control.sock"],
        ),
    ] = None
