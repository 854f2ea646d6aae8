"""Text of strangers, made safe for a terminal, a log and a reader's eyes."""

LONGEST = 256
"""Characters of one value that are shown; a longer one ends in "…"."""


def printable(text: str, limit: int = LONGEST) -> str:
    """The text on one line without power over a terminal: control, format (bidirectional) and unassigned characters escaped, then cut.

    Octets that were not UTF-8 (kept as surrogates U+DC80 to U+DCFF) show as `\\xNN`.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable() and "\\" not in text:
        return text
    return "".join([char if char.isprintable() and char != "\\" else _escape(char) for char in text])


def _escape(char: str) -> str:
    if char == "\\":
        return "\\\\"
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
