"""Python files of the operator's own, named in the configuration: run, and what is wrong with one said in a line."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any


class OperatorFileError(Exception):
    """A file that cannot be used, or that failed: one line with the file's line number."""


def run(path: Path, names: dict[str, Any]) -> None:
    """Runs a file with `names` as its globals, which then hold what it defines. Raises `OperatorFileError` that names file and line."""
    names["__file__"] = str(path)
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)  # noqa: S102 - the operator's own file, named by himself
    except SyntaxError as error:
        raise OperatorFileError(f"{path}:{error.lineno}: {error.msg}") from error
    except OSError as error:
        raise OperatorFileError(f"{path}: {error.strerror}") from error
    except Exception as error:
        raise OperatorFileError(explain(error, path)) from error


def explain(error: BaseException, path: Path) -> str:
    """One line for a fault in a file: its last line there, and what went wrong."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    place = f"{path}:{lines[-1]}" if lines else str(path)
    return f"{place}: {type(error).__name__}: {error}".replace("\n", " ")
