"""What is said outside, on one line, and nothing clinical."""

from __future__ import annotations

from typing import Any

import pytest

from services.dispatcher.notice import Notice

VALUES: dict[str, Any] = {
    "alert_id": "ALERT",
    "revision": 2,
    "kind": "revised",
    "trial": "NCT02977156",
    "subject": "FR01-001",
    "case": "discontinued:death",
    "verdict": "met",
    "clauses": {"DLT-1": "met", "DLT-2": "possible", "DLT-3": "met", "DLT-4": "watch"},
    "urgency": "urgent",
    "population": "part-a",
    "dose_level": 2,
    "detected_at": "2017-03-01T08:00:00Z",
}


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({}, "URGENT revised: FR01-001 DLT-1, DLT-3 met; DLT-2 possible"),
        (
            {"kind": "raised", "urgency": "routine", "clauses": {"DLT-2": "possible"}},
            "ROUTINE raised: FR01-001 DLT-2 possible",
        ),
        # The finding behind an overruled alert goes on to say "met".
        ({"kind": "withdrawn"}, "Withdrawn: FR01-001 alert 1WJR-E5"),
        (
            {"kind": "withdrawn", "changes": [{"what": "DLT-1", "before": "met", "after": "no"}]},
            "Withdrawn: FR01-001 alert 1WJR-E5, DLT-1 was met",
        ),
        ({"telling": "quiet"}, "Revised: FR01-001 DLT-1, DLT-3 met; DLT-2 possible"),
        ({"subject": None, "case": "cohort:A/2"}, "URGENT revised: part A, level 2 on hold"),
        ({"subject": None, "case": "intake:0/1\r\nBcc: x\x1b[2J"}, "URGENT revised: intake:0/1  Bcc: x [2J"),
    ],
)
def test_the_headline_says_what_stands(changes: dict[str, Any], headline: str) -> None:
    """Who, which clauses, how certain; never the case of a subject, which may name a death or an analyte."""
    assert Notice(**VALUES | changes).headline == headline


@pytest.mark.parametrize(
    ("case", "begins"),
    [
        ("cohort:A/2", "The dose level is on hold"),
        ("intake:0/7", "An event that looks severe was refused"),
        ("unwatched:FR01-001", "The subject is not being watched"),
        ("undelivered:mail", "A channel does not deliver"),
        ("something:else", "Toxwatch itself needs attention"),
    ],
)
def test_an_alert_that_is_no_subjects_says_one_sentence(case: str, begins: str) -> None:
    """Ours, since its reasons may quote what a sender wrote; and another once it is withdrawn."""
    sentence = Notice(**VALUES | {"subject": None, "case": case}).sentence
    assert sentence is not None
    assert sentence.startswith(begins)
    gone = Notice(**VALUES | {"subject": None, "case": case, "kind": "withdrawn"}).sentence
    assert gone not in (None, sentence)


def test_a_level_on_hold_says_how_many_of_how_many() -> None:
    """Part, level, the number of DLTs and of treated subjects; the trial is said beside it."""
    hold = Notice(**VALUES | {"subject": None, "case": "cohort:A/2", "count": 2, "out_of": 6})
    assert hold.sentence is not None
    assert hold.sentence.startswith("Part A, level 2: 2 of 6 treated subjects have a DLT. The dose level is on hold")


def test_what_changed_is_said_without_a_clinical_word() -> None:
    """Clauses, counting, part and level, and which event did it; not the question, nor the reason in the site's words."""
    by = {"source": "urn:site:FR01:edc", "id": "E-7"}
    changes = [
        {"what": "DLT-2", "before": "met", "after": "no", "by": by},
        {"what": "counts as a DLT", "before": "yes", "after": "no", "by": by},
        {"what": "question settled", "before": "Which organ is involved?", "by": by},
        {"what": "reason given", "after": "it was a pancreatitis", "by": by},
    ]
    notice = Notice(**VALUES | {"changes": changes})
    assert notice.what_changed == ["DLT-2: met -> no", "counts as a DLT: yes -> no"]
    assert notice.changed_by == "urn:site:FR01:edc E-7"


def test_a_notice_is_kept_as_text() -> None:
    """The ledger's copy is read back whole."""
    notice = Notice(**VALUES)
    assert Notice.model_validate_json(notice.model_dump_json()) == notice
