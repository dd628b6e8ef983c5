"""Hy's law (rules.md §4): liver cells and bilirubin together, a safety alert that is no dose-limiting toxicity.

The strongest pair of an aminotransferase and a bilirubin stands for the case, the earliest of equals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from events.dates import DAY
from projections.rules.cases.evaluation import ClauseProof, IntervalProof, PredicateStep
from projections.rules.facts.dosing_order import Order, order_of
from projections.rules.facts.lab_results import Draw, Multiple, baseline_for, value_range
from projections.rules.facts.subject_facts import SubjectFacts
from projections.rules.facts.window import ASK_TREATMENT
from projections.rules.logic.trial_protocol import Clause
from projections.rules.logic.truth import Answer, Truth, no, unknown, yes
from projections.rules.logic.wording import written

CLAUSE: Final = Clause(
    "HY",
    "ALT or AST ≥3 × ULN and bilirubin ≥2 × ULN within 14 days of each other, without cholestasis (ALP <2 × ULN) and not "
    "explained by the values before treatment",
    at_grade=None,
    summary="ALT or AST and bilirubin raised together (Hy's law)",
)
AMINOTRANSFERASES: Final = ("ALT", "AST")
BILIRUBIN: Final = "BILI"
ALP: Final = "ALP"

TOGETHER_DAYS: Final = 14
BILIRUBIN_LATE_DAYS: Final = 30


class Days(NamedTuple):
    """From one draw's local date to another's: the least and the greatest possible difference."""

    least: int
    greatest: int

    def within(self, first: int, last: int) -> Truth:
        """Whether the difference lies between two."""
        if first <= self.least and self.greatest <= last:
            return Truth.YES
        return Truth.NO if self.greatest < first or last < self.least else Truth.UNKNOWN


def hys_law(facts: SubjectFacts) -> ClauseProof | None:
    """The proof of the strongest pair; None where there is no pair at all."""
    laboratory = facts.laboratory.analytes
    bilirubins = laboratory[BILIRUBIN].elevated if BILIRUBIN in laboratory else []
    if not bilirubins:
        return None
    best: IntervalProof | None = None
    for test in AMINOTRANSFERASES:
        for liver in laboratory[test].elevated if test in laboratory else ():
            for bilirubin in bilirubins:
                proof = _pair(facts, liver, bilirubin)
                if proof is None or (best is not None and _strength(proof) <= _strength(best)):
                    continue
                best = proof
                if best.truth(0) is Truth.YES:
                    return ClauseProof(CLAUSE, (best,), "")
    return ClauseProof(CLAUSE, (best,), "") if best is not None and best.truth(0) is not Truth.NO else None


def _strength(proof: IntervalProof) -> tuple[Truth, int]:
    """Of pairs that come to the same, that with the fewest open questions is the stronger."""
    return proof.truth(0), sum(step.answer.truth is Truth.YES for step in proof.steps)


def _pair(facts: SubjectFacts, liver: Draw, bilirubin: Draw) -> IntervalProof | None:
    """Every question about one pair; None where the two are too far apart, or before treatment."""
    together = _together(liver, bilirubin)
    if together is None:
        return None
    treated = [_after_start(facts, draw) for draw in (liver, bilirubin)]
    if any(answer.truth is Truth.NO for answer in treated):
        return None
    steps = (
        PredicateStep("ALT or AST ≥3 × ULN", _elevated(liver, "3")),
        PredicateStep("bilirubin ≥2 × ULN", _elevated(bilirubin, "2")),
        PredicateStep("within 14 days of each other", together),
        PredicateStep("after the first administration", min(treated, key=lambda answer: answer.truth)),
        PredicateStep("ALP below 2 × ULN", _no_cholestasis(facts, liver, bilirubin)),
        PredicateStep("ALT or AST not explained by its baseline", _not_baseline(facts, liver)),
        PredicateStep("bilirubin not explained by its baseline", _not_baseline(facts, bilirubin)),
    )
    return IntervalProof(None, steps)


def _together(liver: Draw, bilirubin: Draw) -> Answer | None:
    days = _days(liver, bilirubin)
    said = f"{liver.result.kind.test} of {written(liver.span)}, bilirubin of {written(bilirubin.span)}"
    near, late = days.within(-TOGETHER_DAYS, TOGETHER_DAYS), days.within(TOGETHER_DAYS + 1, BILIRUBIN_LATE_DAYS)
    sources = (liver.reference, bilirubin.reference)
    if near is Truth.YES:
        return yes(said, *sources)
    if near is Truth.UNKNOWN:
        return unknown(f"{said}: too imprecise to tell", "On which days were the two samples taken?", *sources)
    if late is Truth.NO:
        return None
    return unknown(f"{said}: 15 to 30 days later", "Is it one and the same liver injury?", *sources)


def _days(a: Draw, b: Draw) -> Days:
    return Days(
        b.span.wall_lo // DAY - a.span.wall_hi // DAY,
        b.span.wall_hi // DAY - a.span.wall_lo // DAY,
    )


def _after_start(facts: SubjectFacts, draw: Draw) -> Answer:
    if facts.treatment is None:
        return unknown("no administration is on record", ASK_TREATMENT)
    order = order_of(facts.treatment, draw)
    if order is Order.AFTER:
        return yes(f"{written(draw.span)}, after the first administration", *facts.treatment.evidence)
    if order is Order.BEFORE:
        return no(f"{written(draw.span)}, before the first administration", *facts.treatment.evidence)
    question = "Was the sample taken before or after the first administration?"
    return unknown(f"{written(draw.span)} may be before the first administration", question, *facts.treatment.evidence)


def _elevated(draw: Draw, times: str) -> Answer:
    said = f"{_times_uln(draw)} on {written(draw.span)}"
    if _certainly(draw):
        return yes(said, draw.reference)
    return unknown(f"{said}: maybe {times} × ULN", "What was the exact value?", draw.reference)


def _multiple(draw: Draw) -> Multiple:
    elevated = draw.result.kind.elevated
    assert elevated is not None, "only a result with an upper limit is asked about"
    return elevated


def _certainly(draw: Draw) -> bool:
    return (draw.result.value or 0.0) >= _multiple(draw).certain


def _possibly(draw: Draw) -> bool:
    return (draw.result.value or 0.0) >= _multiple(draw).possible


def _no_cholestasis(facts: SubjectFacts, liver: Draw, bilirubin: Draw) -> Answer:
    """ALP near either: one that is high speaks of a blocked bile duct, and without any nobody knows."""
    alps = list(_alps_near(facts, (liver, bilirubin)))
    high = next((draw for draw in alps if _possibly(draw)), None)
    if high is not None:
        said = f"{_times_uln(high)} on {written(high.span)}"
        return unknown(f"{said}: ALP at 2 × ULN or more", "Is it cholestasis?", high.reference)
    known = [draw for draw in alps if _certainly_near(draw, liver, bilirubin) and _is_after(facts, draw)]
    if not known:
        return unknown("no ALP within 14 days", "What was ALP within 14 days?")
    closest = min(known, key=lambda draw: (abs(draw.span.lo - liver.span.lo), draw.span.lo, draw.lab_id))
    ratio = _ratio(liver) / _ratio(closest) if _ratio(closest) else None
    shown = f", R = {ratio:.1f}" if ratio is not None and math.isfinite(ratio) else ""
    return yes(f"{_times_uln(closest)} on {written(closest.span)}{shown}", closest.reference)


def _alps_near(facts: SubjectFacts, pair: tuple[Draw, Draw]) -> Iterator[Draw]:
    draws = facts.laboratory.analytes.get(ALP)
    if draws is None:
        return
    # Wide enough for a partial date of a whole year; what is not near is left out below.
    wide = 400 * DAY
    lo, hi = min(draw.span.lo for draw in pair) - wide, max(draw.span.hi for draw in pair) + wide
    for draw in draws.between(lo, hi):
        if draw.result.kind.elevated is None or draw.result.value is None:
            continue
        near = any(_days(one, draw).within(-TOGETHER_DAYS, TOGETHER_DAYS) is not Truth.NO for one in pair)
        if near and not _is_before(facts, draw):
            yield draw


def _certainly_near(draw: Draw, *pair: Draw) -> bool:
    return any(_days(one, draw).within(-TOGETHER_DAYS, TOGETHER_DAYS) is Truth.YES for one in pair)


def _is_before(facts: SubjectFacts, draw: Draw) -> bool:
    return facts.treatment is not None and order_of(facts.treatment, draw) is Order.BEFORE


def _is_after(facts: SubjectFacts, draw: Draw) -> bool:
    return facts.treatment is None or order_of(facts.treatment, draw) is Order.AFTER


def _not_baseline(facts: SubjectFacts, draw: Draw) -> Answer:
    """A value below twice an abnormal baseline may be the disease, not the drug."""
    kind = draw.result.kind
    before = facts.laboratory.baseline(kind.test)
    baseline = (
        baseline_for(kind, before.result.kind, before.result.value)
        if before is not None and before.result.value is not None
        else None
    )
    if before is None or baseline is None:
        return yes(f"no {kind.test} before treatment is on record")
    said = f"{_times_uln(before)} before treatment, on {written(before.span)}"
    sources = (draw.reference, before.reference)
    least = value_range(draw.result.value or 0.0, kind.assay.comparator).low
    if baseline.abnormal is not False and least < 2 * baseline.value.high:
        return unknown(f"{said}: the value is below 2 × baseline", "Does the baseline explain it?", *sources)
    return yes(said, *sources)


def _ratio(draw: Draw) -> float:
    return (draw.result.value or 0.0) / (draw.result.kind.assay.uln or 1.0)


def _times_uln(draw: Draw) -> str:
    assay = draw.result.kind.assay
    value = f"{assay.comparator or ''}{draw.result.value:.12g}" + (f" {assay.unit}" if assay.unit else "")
    return f"{draw.result.kind.test} {value}" + (f" ({_ratio(draw):.1f} × ULN)" if assay.uln else "")
