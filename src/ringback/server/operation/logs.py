"""Where lines for the operator go, and how they look. Nothing on a message's ordinary way logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import TYPE_CHECKING

from ringback.trace.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from ringback.server.config import LogConfig

SECURITY = "ringback.security"
"""The logger of who was refused, which is silent unless it is asked for."""

LONGEST = 4_096
"""Characters of one line that are kept."""

MOST_A_SECOND = 100
"""Lines; what floods the log would hide what matters, and fill the disk."""

# By the names of their loggers: a process has one log, as it has one `logging`.
_installed: dict[str, logging.Handler] = {}


class Cap(logging.Filter):
    """Lets so many lines a second pass; the next one says how many did not."""

    def __init__(self) -> None:
        super().__init__()
        self._second = 0
        self._passed = 0
        self._suppressed = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line passes."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._passed = 0
        self._passed += 1
        if self._passed > MOST_A_SECOND:
            self._suppressed += 1
            return False
        if self._suppressed:
            record.msg = f"{record.getMessage()} ({self._suppressed} lines before this one were suppressed)"
            record.args = None
            self._suppressed = 0
        return True


class TextFormatter(logging.Formatter):
    """`ringback: what there is to say`, with the time before it where nobody else notes it."""

    def __init__(self, *, is_timed: bool) -> None:
        super().__init__()
        self._is_timed = is_timed

    def format(self, record: logging.LogRecord) -> str:
        """One line; more of them only for a fault of this program's own."""
        line = f"ringback: {printable(record.getMessage(), LONGEST)}"
        if self._is_timed:
            line = f"{_iso(record.created)} {record.levelname} {line}"
        return line if record.exc_info is None else f"{line}\n{self.formatException(record.exc_info)}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII: time, level, logger, message, and the traceback of a fault of this program's own."""

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        message = record.getMessage()
        said = {
            "time": _iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message if len(message) <= LONGEST else message[: LONGEST - 1] + "…",
        }
        if record.exc_info is not None:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said)


class SecurityFormatter(logging.Formatter):
    """As Asterisk's `security` log: fail2ban knows it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; `security.py` makes its fields."""
        return f"[{_iso(record.created)}] SECURITY[{record.process}] ringback: {record.getMessage()}"


class LogFile(WatchedFileHandler):
    """A file that may be renamed or removed. One that cannot be written costs lines, never calls."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line, if that can be done."""
        with suppress(OSError):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - so logging calls it
        """Nobody is told: whoever watches the disk knows."""


def prepare(config: LogConfig) -> Callable[[], None]:
    """What puts the configuration in force. Raises `OSError` where a file it names cannot be written; then all stays as it was."""
    for file in (config.file, config.security):
        if file is not None:
            # Whether it can be written is known now; it is opened with its first line.
            open(file, "a").close()
    ordinary = _handler(config.file)
    ordinary.setFormatter(JsonFormatter() if config.format == "json" else TextFormatter(is_timed=config.file is not None))
    ordinary.addFilter(Cap())
    security = None if config.security is None else _handler(config.security)
    if security is not None:
        security.setFormatter(SecurityFormatter())

    def apply() -> None:
        close()
        logging.getLogger("ringback").setLevel(config.level.upper())
        _install("", ordinary)
        logger = logging.getLogger(SECURITY)
        logger.propagate = False
        logger.setLevel(logging.CRITICAL if security is None else logging.INFO)
        if security is not None:
            _install(SECURITY, security)

    return apply


def close() -> None:
    """Takes back what was put in force."""
    for name, handler in _installed.items():
        logging.getLogger(name).removeHandler(handler)
        with suppress(OSError):
            # What a full disk would not take is lost.
            handler.close()
    _installed.clear()
    logger = logging.getLogger(SECURITY)
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def _handler(file: Path | None) -> logging.Handler:
    return logging.StreamHandler() if file is None else LogFile(file, encoding="utf-8", errors="backslashreplace", delay=True)


def _install(name: str, handler: logging.Handler) -> None:
    logging.getLogger(name).addHandler(handler)
    _installed[name] = handler


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
