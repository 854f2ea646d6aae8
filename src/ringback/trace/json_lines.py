"""A trace as JSON: one object a line, for jq and for programs."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ringback.address import host_port
from ringback.message.message import Request
from ringback.trace.entry import Entry
from ringback.trace.printable import printable


class JsonLines:
    """Appends to a file. Each line is written at once and whole, so that `tail -f` and a crash see whole messages. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = path.open("ab", buffering=0)

    def write(self, entry: Entry) -> None:
        """Appends one line."""
        self._file.write(json_line(entry).encode("ascii"))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def json_line(entry: Entry) -> str:
    """One message as one line of ASCII: every character that could harm a terminal is a JSON escape.

    `message` is the whole wire text; where it is not UTF-8, `octets` holds it in base64 too. The other values are cut at 256 characters.
    """
    flow = entry.flow
    peer = host_port(flow.host, flow.port)
    ours = host_port(flow.endpoint.host, flow.endpoint.port)
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="microseconds"),
        "direction": entry.direction,
        "transport": flow.endpoint.transport,
        "source": peer if entry.direction == "in" else ours,
        "destination": ours if entry.direction == "in" else peer,
        "size": len(entry.octets),
    }
    if flow.connection:
        fields["connection"] = flow.connection
    message = entry.message
    if message is None:
        fields["malformed"] = printable(entry.malformed or "no SIP message")
    else:
        if isinstance(message, Request):
            fields["method"] = printable(message.method)
            fields["uri"] = printable(message.uri_text)
        else:
            fields["status"] = message.status
            fields["reason"] = printable(message.reason)
        for key, name in (("call_id", "call-id"), ("cseq", "cseq"), ("from", "from"), ("to", "to")):
            fields[key] = printable(message.headers.text(name) or "")
    try:
        fields["message"] = entry.octets.decode()
    except UnicodeDecodeError:
        fields["message"] = entry.octets.decode("utf-8", "replace")
        fields["octets"] = base64.b64encode(entry.octets).decode("ascii")
    return json.dumps(fields) + "\n"
