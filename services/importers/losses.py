"""Whether what is lost with a row may matter: a severe, serious or fatal toxicity, a death, a first dose, a severe result."""

from __future__ import annotations

from projections.ctcae.analytes import analyte
from projections.ctcae.grader import Assay
from projections.ctcae.grading import grade_result
from services.files.rows import Row
from services.importers.adverse_events import is_urgent
from services.importers.code_lists import normal
from services.importers.results import read_result
from services.importers.study import Study

SEVERE = 3
#: The version by whose cut-offs a result that is lost is weighed; which one hardly matters for that.
CTCAE = "4.03"


def matters(domain: str, row: Row, study: Study) -> bool:
    """Whether the loss of a row is urgent."""
    if domain == "AE":
        grade = row.pick(study.mapping.ae.grade)[1]
        return is_urgent(row, study) or normal(grade) not in study.mapping.codes.grade
    if domain == "EX":
        return study.mapping.drugs.get(normal(row.pick(study.mapping.ex.treatment)[1])) != ""
    if domain == "LB":
        return _may_be_severe(row, study)
    return domain in ("DS", "DM")


def _may_be_severe(row: Row, study: Study) -> bool:
    """Whether a result has, or may have, grade 3; one without a number or a known test may not be told."""
    columns = study.mapping.lb
    name = row.pick(columns.test)[1]
    test = columns.tests[name].test or name if name in columns.tests else name
    result = read_result(row.pick(columns.value)[1], None)
    low, high = (read_result(row.pick(names)[1], None).value for names in (columns.lln, columns.uln))
    if result.value is None:
        return False
    unit = row.pick(columns.unit)[1] or None
    try:
        assay = Assay(analyte(test), unit, low, high, result.comparator)
        grades = grade_result(CTCAE, assay, result.value)
    except (ValueError, OverflowError, ArithmeticError):
        return True
    if any(grade.direction is None and grade.question for grade in grades):
        # It cannot be graded, for its unit or its test: outside its limits, or without any, it may be anything.
        return (low is None and high is None) or (low or 0) > result.value or (high is not None and result.value > high)
    return any((grade.grade_max or 0) >= SEVERE for grade in grades)
