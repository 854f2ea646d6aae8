"""What is wrong with a configuration, in one line."""

from __future__ import annotations


class ConfigError(ValueError):
    """A configuration that cannot be used, in one line: where it stands, which key, what is wrong, what is allowed."""

    def __init__(self, reason: str, key: str | None = None, origin: str | None = None) -> None:
        self.reason = reason
        self.key = key
        self.origin = origin
        super().__init__(": ".join(part for part in (origin, key, reason) if part))


_TYPE_NAMES: dict[type, str] = {list: "a list", dict: "a table"}


def shown(value: object) -> str:
    """A value as an error names it: one line, not longer than 60 characters."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, (str, int, float)) else _TYPE_NAMES.get(type(value), type(value).__name__)
    return text if len(text) <= 60 else text[:59] + "…"
