"""Whether a sample was taken before or after the first administration (rules.md §4), and so what it is good for."""

from __future__ import annotations

from enum import Enum

from events.dates import DAY
from projections.rules.facts.lab_results import Draw
from projections.rules.facts.treatment import TreatmentStart


class Order(Enum):
    """A sample beside the first administration. On day 1 the order may not be known."""

    BEFORE = "before"
    UNKNOWN = "unknown"
    AFTER = "after"


def order_of(treatment: TreatmentStart, draw: Draw) -> Order:
    """Before, after, or not known."""
    span = draw.span
    if treatment.timed is not None and not span.bare:
        return Order.BEFORE if span.hi < treatment.timed else Order.AFTER
    if span.wall_hi < treatment.day1_lo:
        return Order.BEFORE
    if span.wall_lo >= treatment.day1_hi + DAY:
        return Order.AFTER
    if on_day_1(treatment, draw):
        if draw.result.timepoint == "pre-dose":
            return Order.BEFORE
        if draw.result.timepoint == "post-dose":
            return Order.AFTER
    return Order.UNKNOWN


def is_before_treatment(treatment: TreatmentStart | None, draw: Draw) -> bool:
    """Whether the sample may be the baseline: an unknown order on a day 1 that is certain counts as before."""
    if treatment is None:
        return False
    order = order_of(treatment, draw)
    return order is Order.BEFORE or (order is Order.UNKNOWN and on_day_1(treatment, draw))


def on_day_1(treatment: TreatmentStart, draw: Draw) -> bool:
    """Whether the sample was certainly taken on day 1, and day 1 is certain."""
    first, last = treatment.day1_lo, treatment.day1_hi
    return first == last and first <= draw.span.wall_lo and draw.span.wall_hi < first + DAY
