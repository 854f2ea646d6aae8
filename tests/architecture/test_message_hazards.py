"""Python's hazards on network text have no place in message/: Unicode-wide strip, splitlines, int, case folding; backtracking patterns.

`str.strip()` eats U+00A0 and U+2028, `splitlines()` cuts at eleven characters, `int()` reads Arabic digits and underscores and takes
quadratic time, `"ſ".upper()` is `"S"`: each of these made two elements read two different messages from the same octets.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.architecture import patterns
from tests.architecture.tree import ROOT, SOURCE, python_files

MESSAGE = SOURCE / "message"

# (file, function) -> why the case of letters may be changed there with the Unicode-wide method.
CASE_MAY_CHANGE = {
    ("grammar.py", "ascii_lower"): "it is the guard: text.isascii() stands beside it",
    ("grammar.py", "ascii_upper"): "the same",
    ("grammar.py", "_params"): "every name has been matched as a token, which is ASCII",
    ("headers.py", "_spellings"): "names from our own table, at import",
    ("via.py", "parse"): "protocol, transport and host have been matched by patterns that hold ASCII only",
    ("uri.py", "parse"): "the host has been matched by a pattern that holds ASCII only",
}

# (file, function) -> why a number may be read there without asking again.
NUMBER_MAY_BE_READ = {
    ("feature_predicate.py", "_filter"): "the whole has been matched by a pattern of ASCII digits, 30 of them at most",
    ("history_info.py", "index"): "the whole has been matched by a pattern of ASCII digits and dots, of bounded length",
}


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """(name of the innermost function around it, node) of every node of a module; `""` at module level."""
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        name, node = pending.pop()
        yield name, node
        inner = node.name if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else name
        pending.extend((inner, child) for child in ast.iter_child_nodes(node))


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    return ((name, node) for name, node in _functions(tree) if isinstance(node, ast.Call))


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _bare_strips(tree: ast.Module) -> list[int]:
    """Lines that strip more than SP and HTAB (of `bytes` also CR and LF, which are ASCII there)."""
    lines = []
    for _, call in _calls(tree):
        if _method(call) in {"strip", "lstrip", "rstrip"}:
            argument = call.args[0].value if len(call.args) == 1 and isinstance(call.args[0], ast.Constant) else None
            if not (isinstance(argument, (str, bytes)) and argument):
                lines.append(call.lineno)
    return lines


def _line_splits(tree: ast.Module) -> list[int]:
    """Lines with splitlines(), or a split() that cuts at Unicode white space."""
    lines = []
    for _, call in _calls(tree):
        cuts_at_white_space = _method(call) in {"split", "rsplit"} and not call.args and not call.keywords
        if cuts_at_white_space or _method(call) == "splitlines":
            lines.append(call.lineno)
    return lines


def _unguarded_numbers(tree: ast.Module, file: str) -> list[int]:
    """Lines with int() or float() of text that the same function does not first ask for isascii() and isdigit()."""
    guards: dict[str, set[tuple[str, str]]] = {}
    for name, call in _calls(tree):
        if _method(call) in {"isascii", "isdigit"}:
            assert isinstance(call.func, ast.Attribute)
            guards.setdefault(name, set()).add((_method(call), ast.unparse(call.func.value)))
    lines = []
    for name, call in _calls(tree):
        if not (isinstance(call.func, ast.Name) and call.func.id in {"int", "float"} and call.args):
            continue
        text = ast.unparse(call.args[0])
        is_hexadecimal_capture = len(call.args) == 2 and ast.unparse(call.args[1]) == "16" and isinstance(call.args[0], ast.Subscript)
        is_guarded = {("isascii", text), ("isdigit", text)} <= guards.get(name, set())
        if not (is_hexadecimal_capture or is_guarded or (file, name) in NUMBER_MAY_BE_READ):
            lines.append(call.lineno)
    return lines


def _case_changes(tree: ast.Module, file: str) -> list[int]:
    changes = {"lower", "upper", "casefold", "title", "capitalize", "swapcase"}
    return [
        call.lineno
        for name, call in _calls(tree)
        if _method(call) in changes
        and (file, name) not in CASE_MAY_CHANGE
        and not (isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant))
    ]


def _unbound_patterns(tree: ast.Module) -> list[int]:
    """Lines that use a pattern which was not compiled at module level, where the pattern test can see it."""
    module_functions = {"match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
    lines = []
    for name, call in _calls(tree):
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id == "re":
            if call.func.attr in module_functions or (call.func.attr == "compile" and name):
                lines.append(call.lineno)
    return lines


CHECKS = {
    "strips more than SP and HTAB": lambda tree, _file: _bare_strips(tree),
    "cuts at Unicode's line ends or white space": lambda tree, _file: _line_splits(tree),
    "converts text to a number without asking isascii() and isdigit()": _unguarded_numbers,
    "changes the case of text that may be other than ASCII (grammar.ascii_lower)": _case_changes,
    "uses a pattern that is not compiled at module level": lambda tree, _file: _unbound_patterns(tree),
}


@pytest.mark.parametrize("hazard", CHECKS)
def test_message_is_free_of(hazard: str) -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{line} {hazard}"
        for path in python_files(MESSAGE)
        for line in CHECKS[hazard](ast.parse(path.read_text("utf-8")), path.name)
    ]
    assert guilty == []


@pytest.mark.parametrize(
    ("hazard", "source"),
    [
        ("strips more than SP and HTAB", "text.strip()"),
        ("strips more than SP and HTAB", "text.lstrip(chars)"),
        ("cuts at Unicode's line ends or white space", "text.splitlines()"),
        ("cuts at Unicode's line ends or white space", "text.split()"),
        ("converts text to a number without asking isascii() and isdigit()", "def f(t):\n if t.isdigit():\n  return int(t)"),
        ("converts text to a number without asking isascii() and isdigit()", "float(text)"),
        ("changes the case of text that may be other than ASCII (grammar.ascii_lower)", "name.lower()"),
        ("uses a pattern that is not compiled at module level", "re.match('a', text)"),
    ],
)
def test_each_check_sees_its_hazard(hazard: str, source: str) -> None:
    assert CHECKS[hazard](ast.parse(source), "other.py")


def test_the_allowed_changes_of_case_are_used() -> None:
    used = {
        (path.name, name)
        for path in python_files(MESSAGE)
        for name, call in _calls(ast.parse(path.read_text("utf-8")))
        if _method(call) in {"lower", "upper"}
    }
    assert set(CASE_MAY_CHANGE) <= used


def test_no_pattern_of_message_can_backtrack() -> None:
    ran = subprocess.run([sys.executable, patterns.__file__], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert len(found) > 5, "the recorder saw next to nothing"
    assert [f"{where}: {pattern} — {fault}" for where, pattern in found if (fault := patterns.fault_of(pattern))] == []


@pytest.mark.parametrize(
    ("pattern", "is_faulty"),
    [
        (r"(a+)+", True),
        (r"(?:a|b+)*c", True),
        (r"\s*,\s*", True),
        (r"(?:[a-z]+;)*+x[0-9]*y*", True),
        (r"[0-9]+", False),
        (r"[a-z]++(?:;[a-z]++)*+", True),
        (r"[a-z]++(?>(?:;[a-z]++)*)", False),
        (r"(?>a+b)c*", False),
        (r"(?>a+a*b)c", True),
        (r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", False),
        (r"(?:a{1,500}){1,500}b", True),
    ],
)
def test_the_pattern_rule(pattern: str, is_faulty: bool) -> None:
    assert (patterns.fault_of(pattern) is not None) == is_faulty
