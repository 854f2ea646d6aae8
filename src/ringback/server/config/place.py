"""Where in a TOML text a key stands, for who has to put it right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator


def line_of(key: str, text: str) -> int | None:
    """The number of the line that gives `key` (`registrar.min_expires`, `route[1].to`) its value, or its table; None where none does."""
    key = _bare(key)
    best, found = "", None
    for number, written in _keys(text):
        if len(written) > len(best) and (key == written or key.startswith((f"{written}.", f"{written}["))):
            best, found = written, number
    return found


def _keys(text: str) -> Iterator[tuple[int, str]]:
    """Each line that names a table or a key, with that name in full."""
    table = ""
    counts: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line.startswith("[["):
            name = _bare(line[2:].partition("]]")[0])
            table = f"{name}[{counts[name]}]"
            counts[name] += 1
            yield number, table
        elif line.startswith("["):
            table = _bare(line[1:].partition("]")[0])
            yield number, table
        else:
            name, equals, _ = line.partition("=")
            if equals and not line.startswith("#"):
                yield number, f"{table}.{_bare(name)}" if table else _bare(name)


def _bare(name: str) -> str:
    return name.replace('"', "").replace("'", "").replace(" ", "").replace("\t", "")
