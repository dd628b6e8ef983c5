"""What is expected of a scenario, one case or one cohort a line; under a case, its questions.

ae:AE-1 possible, DLT-2 watch, urgent, presumed ongoing, due D15 08:00, on e3 e2
  ? Is it still grade ≥3?
part A, level 1, treated 3, evaluable 2, pending 1, replaceable 0, DLTs 1, no hold, decision pending
"""

from __future__ import annotations

import re
from typing import Final

from tests.rules.event_lines import SUBJECT
from tests.rules.notation import Days, Json, NotationError, Vocabulary, phrases
from tests.rules.readers import Reader, a_constant, a_date, a_number, a_word

_CASE: Final = re.compile(r"(?:(?P<subject>[A-Z]{2}[0-9]{2}-[0-9]{3,5}) )?(?P<case>\S+:\S+) (?P<verdict>\S+)")
_CLAUSE: Final = re.compile(r"(?P<clause>[A-Z]+(?:-[0-9]+)?) (?P<word>met|possible|watch)")
_VERDICTS: Final[dict[str, str | None]] = {
    "met": "met",
    "possible": "possible",
    "watch": "watch",
    "no-verdict": None,
}


def _urgency(word: str) -> dict[str, Reader]:
    return {word: a_constant("urgency", word)}


def _evidence(words: str, _: Days) -> Json:
    return {"evidence": words.split(" ")}


def _due(words: str, days: Days) -> Json:
    return {"due": None if words == "never" else days.when(words)}


_SAID_OF_A_CASE: Final = Vocabulary(
    {
        **_urgency("urgent"),
        **_urgency("prompt"),
        **_urgency("routine"),
        "counts as DLT": a_constant("counts_as_dlt", True),
        "overruled": a_constant("overruled", True),
        "presumed ongoing": a_constant("basis", "presumed-ongoing"),
        "last confirmed": a_date("last_confirmed"),
        "due": _due,
        "population": a_word("population"),
        "level": a_number("dose_level"),
        "on": _evidence,
    }
)


def read_case(line: str, days: Days) -> Json:
    """A case that is expected. What is no more than yes or no is no where it is not said."""
    head, *said = phrases(line)
    found = _CASE.fullmatch(head)
    if found is None or found["verdict"] not in _VERDICTS:
        raise NotationError(f"{head!r} is no case with its verdict: write ae:AE-1 met")
    clauses = [matched for matched in map(_CLAUSE.fullmatch, said) if matched]
    read: Json = {}
    _SAID_OF_A_CASE.read([phrase for phrase in said if _CLAUSE.fullmatch(phrase) is None], days, read)
    if len({one["clause"] for one in clauses}) < len(clauses):
        raise NotationError("a clause is named twice")
    return {
        "subject": found["subject"] or SUBJECT,
        "case": found["case"],
        "verdict": _VERDICTS[found["verdict"]],
        "clauses": {one["clause"]: one["word"] for one in clauses},
        "counts_as_dlt": False,
        "overruled": False,
        "basis": None,
        "questions": [],
        **read,
    }


_SAID_OF_A_COHORT: Final = Vocabulary(
    {
        "part": a_word("part"),
        "level": a_number("dose_level"),
        "treated": a_number("treated"),
        "evaluable": a_number("evaluable"),
        "pending": a_number("pending"),
        "replaceable": a_number("replaceable"),
        "DLTs": a_number("dlts"),
        "hold": a_constant("hold", True),
        "no hold": a_constant("hold", False),
        "decision": a_word("decision"),
        "best": a_word("best_case"),
        "worst": a_word("worst_case"),
    }
)


def read_cohort(line: str, days: Days) -> Json:
    """One row of the cohort board."""
    row: Json = {}
    _SAID_OF_A_COHORT.read(phrases(line), days, row)
    if not {"part", "dose_level"} <= row.keys():
        raise NotationError("a cohort is named by its part and level")
    return row
