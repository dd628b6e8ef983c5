"""Whether a sample was taken in the window (rules.md §3.2, §4)."""

from __future__ import annotations

from projections.rules.facts.dosing_order import Order, on_day_1, order_of
from projections.rules.facts.lab_results import Draw
from projections.rules.facts.subject_facts import SubjectFacts
from projections.rules.facts.window import in_window, window_of_start
from projections.rules.logic.truth import Answer, Truth, no, unknown, yes
from projections.rules.logic.wording import written


def draw_in_window(facts: SubjectFacts, draw: Draw) -> Answer:
    """Whether the sample was taken in the window; on day 1 that depends on the order, for no convention helps here."""
    treatment = facts.treatment
    if treatment is None:
        return window_of_start(facts, draw.span, draw.span, draw.span, grade_known=True)
    answer = in_window(facts, treatment, draw.span)
    order = order_of(treatment, draw)
    if order is Order.AFTER and on_day_1(treatment, draw):
        return yes(f"{written(draw.span)}, after the first administration on day 1", *treatment.evidence)
    if answer.truth is Truth.NO or order is Order.AFTER:
        return answer
    if order is Order.BEFORE:
        return no(f"{written(draw.span)}, before the first administration", *treatment.evidence)
    return unknown(
        f"{written(draw.span)} may be before the first administration",
        "Was the sample taken before or after the first administration?",
        *treatment.evidence,
    )
