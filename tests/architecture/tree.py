"""The tree as the architecture tests see it: files, imports, text."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "ringback"
GENERATED = {".venv", ".git", "build", "dist", "__pycache__"}


def python_files(folder: Path) -> list[Path]:
    """Every Python file below `folder`, in a stable order."""
    return sorted(path for path in folder.rglob("*.py") if not GENERATED & set(path.parts))


def project_files() -> list[Path]:
    """Every file of the project as git sees it (tracked, or new and not ignored); without git, every file outside generated folders."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True, timeout=30
        )
    except (OSError, subprocess.CalledProcessError):
        return sorted(path for path in ROOT.rglob("*") if path.is_file() and not GENERATED & set(path.relative_to(ROOT).parts))
    names = [name for name in listed.stdout.decode("utf-8").split("\0") if name]
    return sorted(path for name in names if (path := ROOT / name).is_file())


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything `path` imports, at any depth; `from a import b` names both a and a.b."""
    imports = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, (ast.Import, ast.ImportFrom))]
    for node in sorted(imports, key=lambda node: node.lineno):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif node.module is not None:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
