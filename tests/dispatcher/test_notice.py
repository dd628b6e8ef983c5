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
        ({"kind": "withdrawn"}, "URGENT withdrawn: FR01-001 no longer stands"),
        ({"subject": None, "case": "cohort:A/2"}, "URGENT revised: cohort:A/2"),
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
        ("undelivered:ALERT", "An alert has not reached everybody"),
        ("something:else", "Toxwatch itself needs attention"),
    ],
)
def test_an_alert_that_is_no_subjects_says_one_sentence(case: str, begins: str) -> None:
    """Ours, since its reasons may quote what a sender wrote; and another once it is withdrawn."""
    sentence = Notice(**VALUES | {"subject": None, "case": case}).sentence
    assert sentence is not None
    assert sentence.startswith(begins)
    assert Notice(**VALUES | {"subject": None, "case": case, "kind": "withdrawn"}).sentence == "It no longer stands."


def test_a_notice_is_kept_as_text() -> None:
    """The ledger's copy is read back whole."""
    notice = Notice(**VALUES)
    assert Notice.model_validate_json(notice.model_dump_json()) == notice
