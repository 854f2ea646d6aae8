"""The README and the docs say what is so: their code runs, their links lead somewhere, their commands exist, their pages are up to date."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from docs import generate
from ringback.server.config.file import read_config
from ringback.server.proxy import Forward, Gateway, Location, Redirect, Reject, first
from tests.architecture.tree import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def name_of(path: Path) -> str:
    """A page's path in the tree, for the name of its test."""
    return path.relative_to(ROOT).as_posix()


def fenced(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language on a page."""
    return [code for found, code in FENCE.findall(page.read_text("utf-8")) if found == language]


def indented_commands(page: Path) -> Iterator[list[str]]:
    """The words of every command on a page: lines indented by four, outside fences."""
    for line in FENCE.sub("", page.read_text("utf-8")).split("\n"):
        command = line.partition(" #")[0].strip()
        if line.startswith("    ") and command.startswith(("./dev ", "ringback ")):
            yield command.split()


def has_tests(page: Path) -> bool:
    """Whether the Python of a page is a file of tests."""
    return any("def test_" in code for code in fenced(page, "python"))


# What is no program to be run here: outlines of classes, and the programs of the tutorial, which test_tutorial.py runs.
ELSEWHERE = {ROOT / "docs" / "architecture.md", ROOT / "docs" / "tutorial-agent.md"}


@pytest.mark.parametrize("page", [p for p in PAGES if p not in ELSEWHERE and fenced(p, "python") and not has_tests(p)], ids=name_of)
def test_the_python_of_a_page_runs(page: Path) -> None:
    names = {"__name__": "page", **{value.__name__: value for value in (Forward, Gateway, Location, Redirect, Reject, first)}}
    for code in fenced(page, "python"):
        exec(compile(code, str(page), "exec"), names)


@pytest.mark.parametrize("page", [p for p in PAGES if has_tests(p)], ids=name_of)
def test_the_tests_of_a_page_pass(page: Path, tmp_path: Path) -> None:
    code = "\n\n".join(fenced(page, "python"))
    (tmp_path / "test_page.py").write_text(code, "utf-8")
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    ran = subprocess.run([*command, "test_page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout
    assert f"{code.count('def test_')} passed" in ran.stdout


@pytest.mark.parametrize("page", [p for p in PAGES if "reference" not in p.parts and fenced(p, "toml")], ids=name_of)
def test_the_toml_of_a_page_is_a_configuration(page: Path, tmp_path: Path) -> None:
    for code in fenced(page, "toml"):
        (tmp_path / "server.toml").write_text(code, "utf-8")
        assert read_config(tmp_path / "server.toml").auth == "digest"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    local = [target for target in LINK.findall(page.read_text("utf-8")) if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [p for p in PAGES if list(indented_commands(p))], ids=name_of)
def test_every_command_of_a_page_exists(page: Path) -> None:
    help_text = subprocess.run([str(ROOT / "dev"), "help"], capture_output=True, text=True, timeout=30, check=True).stdout
    program: click.Group = import_module("ringback.cli.main").main
    for words in indented_commands(page):
        if words[0] == "./dev":
            assert f"./dev {words[1]}" in help_text, words
        if words[0] == "ringback" or words[1] in {"serve", "run"}:
            name = words[2] if words[1] == "run" else words[1]
            command = program.get_command(click.Context(program), name)
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(command), words[words.index(name) + 1])
            assert command is not None, words
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
            assert [word for word in words if word.startswith("--") and word.partition("=")[0] not in known] == []


@pytest.mark.parametrize("page", generate.PAGES)
def test_a_generated_page_is_up_to_date(page: str) -> None:
    assert (generate.DOCS / page).read_text("utf-8") == generate.PAGES[page](), "run ./dev docs"


def test_dev_test_hands_its_arguments_to_pytest() -> None:
    ran = subprocess.run([str(ROOT / "dev"), "test", "--version"], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0
    assert "pytest" in ran.stdout + ran.stderr


def test_dev_serve_starts_without_being_told_anything_and_ends_on_sigterm(tmp_path: Path) -> None:
    environment = {**os.environ, "STATE_DIRECTORY": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [str(ROOT / "dev"), "serve", "--listen", "udp://127.0.0.1:0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            lines = []
            for line in server.stdout:
                lines.append(line)
                if "127.0.0.1:" in line:
                    break
            else:
                pytest.fail("it ended by itself: " + "".join(lines))
            assert (tmp_path / "ringback.db").exists()
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0, server.stdout.read()
        finally:
            server.kill()


def test_the_interpreter_of_the_tests_is_devs() -> None:
    shown = subprocess.run(
        [str(ROOT / "dev"), "python", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, timeout=60, check=True
    )
    assert Path(shown.stdout.strip()) == Path(sys.prefix)
