"""The conformance ledger: for every sentence of an RFC with MUST or SHOULD, the test that shows it, or why it is not ours, or `open`.

    ./dev ledger count                 per section: shown, not applicable, open
    ./dev ledger open [SECTION]        the ids still open
    ./dev ledger merge VERDICTS …      takes lines `id<TAB>evidence` into the ledgers
    ./dev ledger begin TABLE …         starts a ledger from a table with the columns id, section and level
    ./dev docs                         writes docs/conformance.md, among other pages

Evidence is `open`, `n/a: reason`, or pytest node ids separated by blanks. The ledgers hold ids, never an RFC's sentences.
"""

import argparse
import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
PAGE = ROOT / "docs" / "conformance.md"
COLUMNS = ["id", "section", "level", "evidence"]
MUST_BE_WHOLE = {"3261": ("10.3", "16", "17", "18", "26"), "3263": ("4", "5", "7"), "6116": ("3", "5", "7")}
"""Sections in which no line may be open."""

TITLES = {
    "3261": "SIP",
    "3263": "locating SIP servers",
    "3327": "Path",
    "3581": "symmetric response routing",
    "3608": "Service-Route",
    "3840": "capabilities of user agents",
    "3841": "caller preferences",
    "3966": "the tel URI",
    "4320": "non-INVITE transactions, amended",
    "5393": "loop detection in forking proxies",
    "5626": "Outbound",
    "5627": "GRUU",
    "5922": "domain certificates",
    "5923": "connection reuse",
    "6026": "2xx responses to INVITE, amended",
    "6116": "ENUM",
    "7118": "SIP over WebSocket",
}

_NODE = re.compile(r"tests/[\w/.-]+\.py(?:::\w+)+(?:\[[^\s\]]+\])?")
_REASON = re.compile(r"n/a: \S.{9,}")
_RANK = {"open": 0, "n/a": 1, "shown": 2}


@dataclass(frozen=True, slots=True)
class Line:
    """One normative sentence by its id."""

    id: str
    section: str
    level: str
    evidence: str = "open"

    @property
    def kind(self) -> str:
        """`open`, `n/a` or `shown`."""
        return kind_of(self.evidence)


def kind_of(evidence: str) -> str:
    """`open`, `n/a` or `shown`."""
    if evidence == "open":
        return "open"
    return "n/a" if evidence.startswith("n/a") else "shown"


def fault_of(evidence: str) -> str | None:
    """What is wrong with an evidence, None when it is well formed and every test it names exists."""
    kind = kind_of(evidence)
    if kind == "open":
        return None
    if kind == "n/a":
        return None if _REASON.fullmatch(evidence) else "n/a needs a reason: `n/a: why`"
    for node in evidence.split(" "):
        if _NODE.fullmatch(node) is None:
            return f"not a pytest node id: {node!r}"
        path, _, names = node.partition("[")[0].partition("::")
        if names not in tests_in(path):
            return f"no such test: {node}"
    return None


@cache
def tests_in(path: str) -> frozenset[str]:
    """Every `test_…` and `Test…::test_…` (stateful `TestCase`s included) that a test file defines, read without importing it."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    names = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            names.update(f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef))
        elif isinstance(node, ast.Assign):
            assigned = [target.id for target in node.targets if isinstance(target, ast.Name)]
            names.update(f"{name}::runTest" for name in assigned if name.startswith("Test"))
    return frozenset(names)


def is_within(section: str, whole: str) -> bool:
    """Whether `section` is `whole` or lies in it: 16.7 in 16, but not 160."""
    return section == whole or section.startswith(whole + ".")


def path_of(rfc: str) -> Path:
    """The ledger of one RFC (`"3261"`)."""
    return FOLDER / f"rfc{rfc}.tsv"


def ledgers() -> list[str]:
    """The RFCs that have a ledger, by number."""
    return sorted((path.stem.removeprefix("rfc") for path in FOLDER.glob("rfc*.tsv")), key=int)


def read(path: Path) -> list[Line]:
    """The lines of a table by its header's column names; columns it has beyond ours are left out."""
    header, *rows = path.read_text("utf-8").rstrip("\n").split("\n")
    places = {name: place for place, name in enumerate(header.split("\t"))}
    lines = []
    for row in rows:
        cells = row.split("\t")
        lines.append(Line(*(cells[places[name]] for name in COLUMNS if name in places)))
    return lines


def write(path: Path, lines: Iterable[Line]) -> None:
    """Writes a ledger, one line a sentence, in the order of the RFC."""
    rows = ["\t".join(COLUMNS), *(f"{line.id}\t{line.section}\t{line.level}\t{line.evidence}" for line in lines)]
    path.write_text("\n".join(rows) + "\n", "utf-8")


def better(old: str, new: str) -> str:
    """The evidence to keep of two for one sentence: a test before a reason before `open`; of two tests, both."""
    if old == new:
        return old
    if kind_of(old) == kind_of(new) == "shown":
        return " ".join(dict.fromkeys([*old.split(" "), *new.split(" ")]))
    return new if _RANK[kind_of(new)] >= _RANK[kind_of(old)] else old


def merge(verdicts: Iterable[Path]) -> list[str]:
    """Takes verdict files into the ledgers; gives what could not be taken, and why."""
    rejected: list[str] = []
    taken: dict[str, str] = {}
    for path in verdicts:
        if not path.is_file():
            rejected.append(f"{path}: no such file")
            continue
        for number, row in enumerate(path.read_text("utf-8").split("\n"), 1):
            if not row.strip(" \t\r") or row.startswith("#"):
                continue
            id_, tab, evidence = row.rstrip(" \r").partition("\t")
            evidence = " ".join(evidence.strip(" \t").split(" "))
            fault = "no tab between id and evidence" if not tab else fault_of(evidence)
            if fault is not None:
                rejected.append(f"{path.name}:{number} {id_}: {fault}")
            else:
                taken[id_] = better(taken.get(id_, "open"), evidence)
    for rfc in ledgers():
        lines = read(path_of(rfc))
        write(path_of(rfc), [Line(o.id, o.section, o.level, better(o.evidence, taken.pop(o.id, "open"))) for o in lines])
    rejected += [f"{id_}: no ledger holds this id" for id_ in taken]
    return rejected


def count(lines: Iterable[Line]) -> dict[str, Counter[str]]:
    """Section → how many lines of each kind."""
    sections: dict[str, Counter[str]] = {}
    for line in lines:
        sections.setdefault(line.section, Counter())[line.kind] += 1
    return sections


def render_page() -> str:
    """docs/conformance.md: what is shown, what is not ours and why, what is open."""
    text = [
        "# Conformance",
        "",
        "Generated by `./dev docs` from `tests/conformance/`; do not edit.",
        "",
        "Each RFC's sentences with MUST or SHOULD bear an id, `rfc-section-number`. *Shown* means a named test asserts it;",
        "*n/a* that it binds something Ringback is not (yet), with the reason below; *open* that nothing shows it yet.",
        "`tests/conformance/rfcNNNN.tsv` names the test for every id.",
        "",
        "| RFC | sentences | shown | n/a | open |",
        "|---|--:|--:|--:|--:|",
    ]
    books = {rfc: read(path_of(rfc)) for rfc in ledgers()}
    for rfc, lines in books.items():
        kinds = Counter(line.kind for line in lines)
        name = f"{rfc}, {TITLES[rfc]}" if rfc in TITLES else rfc
        text.append(f"| {name} | {len(lines)} | {kinds['shown']} | {kinds['n/a']} | {kinds['open']} |")
    for rfc, lines in books.items():
        text += ["", f"## RFC {rfc}", "", "| section | shown | n/a | open |", "|---|--:|--:|--:|"]
        text += [f"| {section} | {c['shown']} | {c['n/a']} | {c['open']} |" for section, c in count(lines).items()]
        reasons: dict[str, list[str]] = {}
        for line in lines:
            if line.kind == "n/a":
                reasons.setdefault(line.evidence.removeprefix("n/a: "), []).append(line.id.removeprefix(f"{rfc}-"))
        if reasons:
            text += ["", "Not applicable:", "", *(f"- {reason} ({', '.join(ids)})" for reason, ids in reasons.items())]
    return "\n".join(text) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """The command line of `./dev ledger`."""
    parser = argparse.ArgumentParser(prog="./dev ledger", description="The conformance ledger.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("count", help="per section: shown, n/a, open")
    commands.add_parser("open", help="ids still open").add_argument("section", nargs="?", default="")
    commands.add_parser("merge", help="take verdict files").add_argument("files", nargs="+", type=Path)
    commands.add_parser("begin", help="start a ledger from a table").add_argument("files", nargs="+", type=Path)
    chosen = parser.parse_args(arguments)
    status = 0
    if chosen.command == "merge":
        for complaint in merge(chosen.files):
            print(complaint, file=sys.stderr)
            status = 1
    elif chosen.command == "begin":
        for table in chosen.files:
            path = path_of(table.stem.removeprefix("rfc"))
            if path.exists():
                print(f"{path.name} exists", file=sys.stderr)
                status = 1
            else:
                write(path, read(table))
    elif chosen.command == "open":
        for rfc in ledgers():
            for line in read(path_of(rfc)):
                if line.kind == "open" and (not chosen.section or is_within(line.section, chosen.section)):
                    print(line.id, line.level)
        return 0
    if chosen.command in {"merge", "begin"}:
        PAGE.write_text(render_page(), "utf-8")
    for rfc in ledgers():
        lines = read(path_of(rfc))
        for section, kinds in count(lines).items():
            print(f"{rfc} §{section:<10} {kinds['shown']:4} shown {kinds['n/a']:4} n/a {kinds['open']:4} open")
        kinds = Counter(line.kind for line in lines)
        print(f"{rfc} in all     {kinds['shown']:5} shown {kinds['n/a']:4} n/a {kinds['open']:4} open")
    return status


if __name__ == "__main__":
    sys.exit(main())
