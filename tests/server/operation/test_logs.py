"""Lines for the operator: how they look, where they go, and that a flood of them stays small."""

import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.server.config import LogConfig
from ringback.server.operation import logs

logger = logging.getLogger("ringback.server")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leaves the process's log as it was."""
    before = logging.getLogger("ringback").level
    yield
    logs.close()
    logging.getLogger("ringback").setLevel(before)


def read(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()


def test_text_on_standard_error_is_a_line_with_our_name(capsys: pytest.CaptureFixture[str]) -> None:
    logs.prepare(LogConfig())()
    logger.warning("the disk is %s", "full")
    logger.debug("not said")
    assert capsys.readouterr().err == "ringback: the disk is full\n"


def test_text_in_a_file_has_the_time_and_no_power_over_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "log"
    logs.prepare(LogConfig(file=file, level="debug"))()
    logger.debug("a\nringback: forged \x1b[2J\u202e%s", "x" * 10_000)
    [line] = read(file)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 DEBUG ringback: a\\x0aringback: forged \\x1b\[2J\\u202exxx", line)
    assert len(line) < logs.LONGEST + 200


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    logs.prepare(LogConfig(file=file, format="json"))()
    logger.error("broken\n\udcff\x00%s", "y" * 10_000)
    try:
        raise ZeroDivisionError("division by zero")
    except ZeroDivisionError:
        logging.getLogger("asyncio").exception("a message could not be handled")
    first, second = map(json.loads, read(file))
    assert (first["level"], first["logger"], first["message"][:10]) == ("error", "ringback.server", "broken\n\udcff\x00y")
    assert len(first["message"]) == logs.LONGEST
    assert second["logger"] == "asyncio"
    assert second["exception"].endswith("ZeroDivisionError: division by zero")


def test_a_file_that_was_renamed_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "log"
    logs.prepare(LogConfig(file=file))()
    logger.warning("one")
    file.rename(tmp_path / "log.1")
    logger.warning("two")
    assert [len(read(tmp_path / name)) for name in ("log", "log.1")] == [1, 1]


def test_a_flood_is_cut_off_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "log"
    logs.prepare(LogConfig(file=file))()
    now = 1_000.0
    monkeypatch.setattr("time.time", lambda: now)
    for number in range(5_000):
        logger.warning("line %d", number)
    now += 1
    logger.warning("the next second")
    logger.warning("and so on")
    lines = read(file)
    assert len(lines) == logs.MOST_A_SECOND + 2
    assert lines[-2].endswith("the next second (4900 lines before this one were suppressed)")
    assert lines[-1].endswith("and so on")


@pytest.mark.parametrize("key", ["file", "security"])
def test_a_file_that_cannot_be_had_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    logs.prepare(LogConfig())()
    with pytest.raises(OSError, match="No such file") as caught:
        logs.prepare(LogConfig(**{key: tmp_path / "absent" / "log"}))
    assert caught.value.filename == str(tmp_path / "absent" / "log")
    logger.warning("still here")
    assert capsys.readouterr().err == "ringback: still here\n"


def test_a_full_disk_and_a_folder_that_is_gone_cost_lines_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.prepare(LogConfig(file=Path("/dev/full")))()
    logger.warning("lost")
    file = tmp_path / "here" / "log"
    file.parent.mkdir()
    logs.prepare(LogConfig(file=file))()
    shutil.rmtree(file.parent)
    logger.warning("lost too")
    file.parent.mkdir()
    logger.warning("back")
    assert len(read(file)) == 1
    assert capsys.readouterr().err == ""


def test_the_security_log_is_silent_unless_it_has_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.prepare(LogConfig())()
    security = logging.getLogger(logs.SECURITY)
    assert not security.isEnabledFor(logging.INFO)
    logs.prepare(LogConfig(security=tmp_path / "security"))()
    security.info('SecurityEvent="InvalidPassword"')
    [line] = read(tmp_path / "security")
    assert re.fullmatch(r'\[[-0-9T:.]{23}\+00:00\] SECURITY\[\d+\] ringback: SecurityEvent="InvalidPassword"', line)
    assert capsys.readouterr().err == "", "it stays out of the ordinary log"
