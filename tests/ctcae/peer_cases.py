"""The grading cases that the test suite of pharmaverse/admiral asserts, and where CTCAE's words decide otherwise for us."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

from projections.ctcae.cuts import Range
from projections.ctcae.grader import Assay, Baseline, Context
from projections.ctcae.grading import LabGrade, grade_result

TESTS: Final = {
    "anemia": "HGB",
    "leukocytosis": "WBC",
    "activated partial thromboplastin time prolonged": "APTT",
    "alanine aminotransferase increased": "ALT",
    "alkaline phosphatase increased": "ALP",
    "aspartate aminotransferase increased": "AST",
    "blood bilirubin increased": "BILI",
    "cd4 lymphocytes decreased": "CD4",
    "cholesterol high": "CHOL",
    "cpk increased": "CK",
    "creatinine increased": "CREAT",
    "fibrinogen decreased": "FIBRINO",
    "ggt increased": "GGT",
    "haptoglobin decreased": "HAPTOG",
    "hemoglobin increased": "HGB",
    "inr increased": "INR",
    "lipase increased": "LIPASE",
    "lymphocyte count decreased": "LYM",
    "lymphocyte count increased": "LYM",
    "neutrophil count decreased": "NEUT",
    "platelet count decreased": "PLAT",
    "serum amylase increased": "AMYLASE",
    "white blood cell decreased": "WBC",
    "hypercalcemia": "CACR",
    "hypercalcemia (ionized)": "CAION",
    "hyperglycemia (fasting)": "GLUC",
    "hyperglycemia": "GLUC",
    "hyperkalemia": "K",
    "hypermagnesemia": "MG",
    "hypernatremia": "SODIUM",
    "hypertriglyceridemia": "TRIG",
    "hyperuricemia": "URATE",
    "hypoalbuminemia": "ALB",
    "hypocalcemia": "CACR",
    "hypocalcemia (ionized)": "CAION",
    "hypoglycemia": "GLUC",
    "hypokalemia": "K",
    "hypomagnesemia": "MG",
    "hyponatremia": "SODIUM",
    "hypophosphatemia": "PHOS",
}
#: The peer compares units without case; these are the UCUM units that its spellings mean.
UNITS: Final = {"G/L": "g/L", "MG/dL": "mg/dL", "Mg/dL": "mg/dL", "Mmol/L": "mmol/L", "10^9/l": "10^9/L"}
DIRECTIONS: Final = {"L": "low", "H": "high"}


class PeerCase(NamedTuple):
    """One case: the result as it is graded here, and what the peer says of it; None: not gradable."""

    id: str
    version: str
    term: str
    direction: str
    assay: Assay
    value: float | None
    context: Context
    expected: int | None

    def grade(self) -> LabGrade | None:
        """Our answer in the direction of the peer's term; None where the term is unknown or nothing is graded."""
        if not self.assay.test:
            return None
        found = grade_result(self.version, self.assay, self.value, self.context)
        return next((grade for grade in found if grade.direction == self.direction), None)

    @property
    def agrees(self) -> bool:
        ours = self.grade()
        return (ours.grade if ours is not None else None) == self.expected


def peer_cases(directory: Path) -> Iterator[PeerCase]:
    for version, name in (("4.03", "admiral_v4_cases.csv"), ("5.0", "admiral_v5_cases.csv")):
        with (directory / name).open(encoding="utf-8", newline="") as file:
            yield from (_case(version, row) for row in csv.DictReader(file))


def _case(version: str, row: dict[str, str]) -> PeerCase:
    term = row["term"].lower()
    value = _number(row["value"])
    # A term of one direction never looks at the other limit, and some cases have an incoherent one there.
    low = row["direction"] == "L"
    assay = Assay(
        TESTS.get(term, ""),
        UNITS.get(row["unit"], row["unit"]) or None,
        _number(row["anrlo"]) if low else None,
        None if low else _number(row["anrhi"]),
        fasting=term == "hyperglycemia (fasting)" if "hyperglycemia" in term else None,
    )
    expected = int(row["expected_grade"]) if row["expected_grade"] else None
    context = Context(_baseline(row, value))
    return PeerCase(row["case_id"], version, term, DIRECTIONS[row["direction"]], assay, value, context, expected)


def _number(text: str) -> float | None:
    return float(text) if text else None


def _baseline(row: dict[str, str], value: float | None) -> Baseline | None:
    abnormal = {"HIGH": True, "NORMAL": False}.get(row["bnrind"])
    if row["baseline"]:
        number = Fraction(row["baseline"])
    elif row["pchg"] and value is not None:
        number = Fraction(repr(value)) / (1 + Fraction(row["pchg"]) / 100)
    else:
        return None
    return Baseline(Range(number, number), abnormal)


class Difference(NamedTuple):
    """Cases that are graded otherwise here. ``cases`` is how many of the peer's cases fall under it."""

    name: str
    applies: Callable[[PeerCase], bool]
    wording: str
    cases: int


def _test(*tests: str) -> Callable[[PeerCase], bool]:
    return lambda case: case.assay.test in tests


def _without_baseline(case: PeerCase) -> bool:
    return case.assay.test in ("HGB", "FIBRINO") and (case.context.baseline is None or case.assay.lln is None)


DIFFERENCES: Final = (
    Difference(
        "a unit that can be converted is converted",
        lambda case: case.expected is None and case.assay.unit in ("10^8/L", "umol/L", "ug/dL", "g/dL"),
        "The printed units are not the only ones: 0.49 x 10^8 /L is 49 /mm3.",
        8,
    ),
    Difference(
        "a missing baseline or limit gives bounds",
        _without_baseline,
        "'<0.25 x LLN or 75% decrease from baseline'; 'above ULN or above baseline if baseline is above ULN'.",
        19,
    ),
    Difference(
        "anticoagulation is not assumed",
        _test("INR"),
        "'>1 - 1.5 x ULN; >1 - 1.5 times above baseline if on anticoagulation'",
        13,
    ),
    Difference(
        "triglycerides of exactly 150 mg/dL or 1.71 mmol/L are grade 1",
        _test("TRIG"),
        "'150 mg/dL - 300 mg/dL; 1.71 mmol/L - 3.42 mmol/L', without a > before it",
        4,
    ),
    Difference(
        "physiologic consequences of urate are not assumed",
        _test("URATE"),
        "'>ULN - 10 mg/dL (0.59 mmol/L) without physiologic consequences' is grade 1",
        8,
    ),
    Difference(
        "ionised calcium in mg/dL is converted by its molar mass, not by 4",
        _test("CAION"),
        "'Ionized calcium <0.9 - 0.8 mmol/L': 3.2 mg/dL is 0.798 mmol/L",
        12,
    ),
    Difference(
        "symptoms of low potassium are not assumed",
        _test("K"),
        "'<LLN - 3.0 mmol/L; symptomatic; intervention indicated' is grade 2, '<LLN - 3.0 mmol/L' is grade 1",
        8,
    ),
    Difference(
        "exactly 2.0 x an abnormal baseline of GGT is grade 1",
        _test("GGT"),
        "'2.0 - 2.5 x baseline if baseline was abnormal', without a > before it",
        1,
    ),
    Difference(
        "symptoms of high lipase or amylase are not assumed",
        _test("LIPASE", "AMYLASE"),
        "'>2.0 - 5.0 x ULN and asymptomatic' is grade 2, '>5.0 x ULN and asymptomatic' is grade 3",
        9,
    ),
    Difference(
        "symptoms of low sodium are not assumed",
        _test("SODIUM"),
        "'125-129 mmol/L and asymptomatic' is grade 2",
        4,
    ),
)
