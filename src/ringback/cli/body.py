"""The body of a message as the commands print it."""

from __future__ import annotations

from typing import Any

from ringback.trace.printable import printable

# A choice: a line of a document, XML say, is long where nobody has wrapped it; more is no text for people.
_LONGEST_LINE = 16_384


def body_text(body: bytes) -> str:
    """The body line by line, without power over a terminal; how many octets it has where it is no text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} octets)"
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return "\n".join([_line(line) for line in lines])


def _line(line: str) -> str:
    # What is set in by tabs stays so: a tab has no power.
    return "\t".join([printable(part, _LONGEST_LINE).replace("\\\\", "\\") for part in line.split("\t")])


def body_fields(body: bytes, content_type: object) -> dict[str, Any]:
    """The body as fields of a JSON object: its text, or else its octets in base64."""
    if not body:
        return {}
    fields: dict[str, Any] = {"content_type": None if content_type is None else str(content_type)}
    try:
        return fields | {"body": body.decode()}
    except UnicodeDecodeError:
        import base64

        return fields | {"octets": base64.b64encode(body).decode("ascii")}
