"""The page of ISI-JX beside the registry record: its words are the record's, and nothing that the record lacks is a fact."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from projections.protocols import isi_jx
from projections.protocols.isi_jx import PROTOCOL

#: rules.md §1: the definition, verbatim from the record of NCT02977156.
RECORD = (
    "DLT is defined as the occurrence of any of the following events evaluated as related to study drugs and occurring during "
    "the first 5 weeks (Part A) of investigative treatment(s): any Grade ≥ 4 treatment related toxicity, any Grade ≥ 3 "
    "treatment related toxicity lasting more than 7 days (except for flu-like symptoms that respond to standard therapies), "
    "any Grade ≥ 3 treatment related acute immune related AE involving major end organs, Grade ≥ 3 injection site reaction, "
    "any other study drug related toxicity considered significant enough to be qualified as DLT in the opinion of the "
    "investigators after discussion with the sponsor. Indeed, as a principle in this Phase I study, any toxicity that the "
    "investigator or the sponsor determines to be dose-limiting, regardless of the grade, may be considered as a DLT."
)


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_clauses_read_one_after_the_other_are_the_record() -> None:
    """Not a word more, less or other, and in its order."""
    preamble, _, clauses = RECORD.partition(": ")
    assert ", ".join(clause.wording for clause in PROTOCOL.clauses) == clauses
    assert preamble in one_line(isi_jx.__doc__ or "")


def test_the_record_is_quoted_as_the_specification_quotes_it() -> None:
    """Where the repository has it."""
    documents = list((Path(__file__).parents[2] / "docs").rglob("*.md"))
    quoting = [path for path in documents if "DLT is defined as the occurrence" in path.read_text(encoding="utf-8")]
    for path in quoting:
        text = one_line(re.sub(r"^>\s?", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
        assert RECORD in text, path


@pytest.mark.parametrize(
    ("clause_id", "at_grade", "asks"),
    [
        ("DLT-1", 4, ["related to the study drugs", "begun in the window"]),
        (
            "DLT-2",
            3,
            [
                "related to the study drugs",
                "begun in the window",
                "lasting more than 7 days",
                "not a flu-like symptom that responds to standard therapy",
            ],
        ),
        (
            "DLT-3",
            3,
            ["related to the study drugs", "begun in the window", "immune related", "involving a major end organ"],
        ),
        ("DLT-4", 3, ["related to the study drugs", "begun in the window", "injection site reaction"]),
        ("DLT-5", None, []),
    ],
)
def test_each_clause_asks_what_the_specification_says(clause_id: str, at_grade: int | None, asks: list[str]) -> None:
    """rules.md §1, the table."""
    clause = PROTOCOL.clause(clause_id)
    assert clause.at_grade == at_grade
    assert [predicate.label for predicate in clause.requires] == asks


def test_every_clause_has_an_id_of_its_own() -> None:
    ids = [clause.id for clause in PROTOCOL.clauses]
    assert ids == ["DLT-1", "DLT-2", "DLT-3", "DLT-4", "DLT-5"]
    assert len(set(ids)) == len(ids)


def test_the_adjudicated_and_the_gravest_clause_are_the_fifth_and_the_first() -> None:
    assert (PROTOCOL.adjudicated_clause, PROTOCOL.gravest_clause) == ("DLT-5", "DLT-1")


def test_what_the_record_says_is_what_is_configured() -> None:
    """Five weeks, Part A, two drugs, CTCAE version 4, French sites."""
    assert (PROTOCOL.trial, PROTOCOL.window_days, PROTOCOL.presumed_part.name) == ("NCT02977156", 5 * 7, "A")
    assert PROTOCOL.drugs == ("pexa-vec", "ipilimumab")
    assert (PROTOCOL.ctcae_version, PROTOCOL.time_zone) == ("4.03", "Europe/Paris")


@pytest.mark.parametrize(
    ("subject", "site"),
    [
        ("FR01-001", "FR01"),
        ("FR99-12345", "FR99"),
        ("FR1-001", None),
        ("FR01-01", None),
        ("fr01-001", None),
        ("FR01-001 ", None),
    ],
)
def test_a_subject_id_names_its_site(subject: str, site: str | None) -> None:
    match = re.fullmatch(PROTOCOL.subject_pattern, subject)
    assert (match["site"] if match else None) == site
