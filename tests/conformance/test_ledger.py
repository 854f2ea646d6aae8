"""The ledger is honest: every id once, every evidence well formed, every named test there, nothing open where nothing may be."""

from collections import Counter
from pathlib import Path

import pytest

from tests.conformance import ledger

EXPECTED = {"3261": 831}


@pytest.mark.parametrize("rfc", ledger.ledgers())
def test_every_id_stands_once_and_belongs_to_its_section(rfc: str) -> None:
    lines = ledger.read(ledger.path_of(rfc))
    assert [id_ for id_, times in Counter(line.id for line in lines).items() if times > 1] == []
    assert [line.id for line in lines if line.id.rpartition("-")[0] != f"{rfc}-{line.section}"] == []
    assert {line.level for line in lines} <= {"MUST", "SHOULD"}


def test_rfc3261_holds_all_its_sentences() -> None:
    for rfc, sentences in EXPECTED.items():
        assert len(ledger.read(ledger.path_of(rfc))) == sentences


@pytest.mark.parametrize("rfc", ledger.ledgers())
def test_every_evidence_is_well_formed_and_names_tests_that_exist(rfc: str) -> None:
    faults = [f"{line.id}: {fault}" for line in ledger.read(ledger.path_of(rfc)) if (fault := ledger.fault_of(line.evidence))]
    assert faults == []


@pytest.mark.parametrize(("rfc", "section"), [(rfc, section) for rfc, sections in ledger.MUST_BE_WHOLE.items() for section in sections])
def test_no_line_is_open_in(rfc: str, section: str) -> None:
    open_ids = [line.id for line in ledger.read(ledger.path_of(rfc)) if line.kind == "open" and ledger.is_within(line.section, section)]
    assert open_ids == []



@pytest.mark.parametrize(
    ("evidence", "fault"),
    [
        ("open", None),
        ("n/a: concerns user agents", None),
        ("n/a", "reason"),
        ("n/a: no", "reason"),
        ("test_somewhere", "node id"),
        ("tests/conformance/test_ledger.py::test_sections_nest_by_their_numbers", None),
        ("tests/conformance/test_ledger.py::test_the_evidence_grammar[open-None]", None),
        ("tests/conformance/test_ledger.py::test_not_there", "no such test"),
        ("tests/conformance/no_file.py::test_not_there", "no such test"),
    ],
)
def test_the_evidence_grammar(evidence: str, fault: str | None) -> None:
    found = ledger.fault_of(evidence)
    assert (found is None) if fault is None else (found is not None and fault in found)


def test_merging_prefers_a_test_to_a_reason_to_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "FOLDER", tmp_path)
    here = "tests/conformance/test_ledger.py::test_sections_nest_by_their_numbers"
    other = "tests/conformance/test_ledger.py::test_the_evidence_grammar"
    ids = ["9-1-1", "9-1-2", "9-2-1", "9-2-2"]
    ledger.write(ledger.path_of("9"), [ledger.Line(id_, id_.split("-")[1], "MUST") for id_ in ids])
    verdicts = tmp_path / "a.tsv"
    agents = "n/a: user agents only"
    verdicts.write_text(f"9-1-1\t{here}\n9-1-1\t{agents}\n9-1-2\t{agents}\n9-2-1\t{here}\n9-2-1\t{other}\n", "utf-8")
    assert ledger.merge([verdicts]) == []
    assert [line.evidence for line in ledger.read(ledger.path_of("9"))] == [here, agents, f"{here} {other}", "open"]
    verdicts.write_text("9-1-1\topen\n9-9-9\topen\n9-2-2\tnothing\nno tab\n", "utf-8")
    complaints = ledger.merge([verdicts])
    assert len(complaints) == 3
    assert ledger.read(ledger.path_of("9"))[0].evidence == here
    assert ledger.count(ledger.read(ledger.path_of("9")))["2"] == {"shown": 1, "open": 1}


def test_sections_nest_by_their_numbers() -> None:
    assert ledger.is_within("16.7", "16")
    assert ledger.is_within("16", "16")
    assert not ledger.is_within("10.31", "10.3")
