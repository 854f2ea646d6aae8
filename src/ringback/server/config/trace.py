"""`[trace]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from ringback.server.config.fault import ConfigError, shown


class TraceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is shown of the messages that pass."""

    ladder: Annotated[bool, Meta(description="Print every message as one line of a ladder diagram (--trace).")] = False
    file: Annotated[
        Path | None, Meta(description="Keep every message here: .pcap for Wireshark, .json one object a line.", examples=["calls.pcap"])
    ] = None

    def __post_init__(self) -> None:
        if self.file is not None and self.file.suffix not in (".pcap", ".json"):
            raise ConfigError(f"{shown(str(self.file))} must end in .pcap or .json", "trace.file")
