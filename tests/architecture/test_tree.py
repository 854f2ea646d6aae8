"""What no file of the project may hold: machine paths, work left undone, files that have outgrown their name, vague names."""

import ast
import re

import pytest

from tests.architecture.tree import ROOT, SOURCE, project_files, python_files

MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/|/tmp/bash|\bshared/(?:rfc|corpus|requirements)|\bC:\\Users")
LONGEST_FILE = 500
FORBIDDEN_NAMES = re.compile(r"(?:Manager|Helper|Util|Utils|Handler|Base|Impl)$")
RENAMED_RFC_WORDS = {"ruri", "hdr", "scode", "usrloc", "ucontact", "tx", "ict", "ist", "nict", "nist"}
THIS_FILE = "tests/architecture/test_tree.py"


def _texts() -> list[tuple[str, str]]:
    found = []
    for path in project_files():
        name = path.relative_to(ROOT).as_posix()
        if name == THIS_FILE or path.stat().st_size > 2_000_000:
            continue
        try:
            found.append((name, path.read_text("utf-8")))
        except UnicodeDecodeError:
            continue  # a torture message: octets on purpose
    return found


def test_no_file_names_a_machine() -> None:
    guilty = [
        f"{name}:{number}: {line.strip()}"
        for name, text in _texts()
        for number, line in enumerate(text.split("\n"), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert guilty == []


def test_no_file_of_the_source_holds_a_word_for_unfinished_work() -> None:
    words = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
    guilty = [f"{name}" for name, text in _texts() if name.endswith((".py", ".md", "dev", "run")) and words.search(text)]
    assert guilty == []


@pytest.mark.parametrize("folder", ["src", "examples", "benchmarks"])
def test_no_file_has_outgrown_its_name(folder: str) -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in python_files(ROOT / folder)
        if (lines := path.read_text("utf-8").count("\n")) > LONGEST_FILE
    }
    assert long == {}, f"over {LONGEST_FILE} lines a file is two files"


def test_no_class_has_a_name_that_says_nothing() -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in python_files(SOURCE)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and FORBIDDEN_NAMES.search(node.name)
    ]
    assert guilty == []


def test_the_rfc_words_are_written_in_full() -> None:
    guilty = []
    for path in python_files(SOURCE):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = {
                ast.Name: lambda n: [n.id],
                ast.Attribute: lambda n: [n.attr],
                ast.arg: lambda n: [n.arg],
                ast.FunctionDef: lambda n: [n.name],
            }.get(type(node), lambda n: [])(node)
            guilty += [f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {name}" for name in names if name in RENAMED_RFC_WORDS]
    assert guilty == []


def test_every_module_begins_with_a_sentence() -> None:
    guilty = [
        str(path.relative_to(ROOT))
        for folder in ("src", "examples", "benchmarks")
        for path in python_files(ROOT / folder)
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert guilty == []


def test_every_departure_from_an_rfc_can_be_found() -> None:
    near_misses = re.compile(r"#\s*(?:departs? from|departure from|deviat\w+ from)\b", re.IGNORECASE)
    guilty = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python_files(SOURCE)
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1)
        if near_misses.search(line) and not re.search(r"# Departs from RFC \d+", line)
    ]
    assert guilty == []
