"""The import law of docs/architecture.md: the contracts of pyproject.toml, and the two that import-linter cannot say."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.architecture.tree import ROOT, SOURCE, imported_modules, python_files

PARTY_ROOMS = ("ringback.agent", "ringback.media", "ringback.dialog")


def test_the_contracts_of_pyproject_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "0 broken" in ran.stdout


def test_a_proxy_is_not_a_user_agent() -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in python_files(SOURCE / "server" / "proxy")
        for line, module in imported_modules(path)
        if module.startswith(PARTY_ROOMS)
    ]
    assert guilty == []


def test_nothing_outside_transport_testing_and_cli_opens_a_socket() -> None:
    allowed = {"transport", "testing", "cli"}
    opening = {"create_datagram_endpoint", "create_connection", "create_server", "sendto"}
    guilty = []
    for path in python_files(SOURCE):
        if path.relative_to(SOURCE).parts[0] in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in opening:
                guilty.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.attr}")
    assert guilty == []


def test_the_reader_of_imports_sees_every_form(tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text("import a.b\nfrom c import d\ndef f():\n    from e.f import g\n", "utf-8")
    assert list(imported_modules(module)) == [(1, "a.b"), (2, "c"), (2, "c.d"), (4, "e.f"), (4, "e.f.g")]
