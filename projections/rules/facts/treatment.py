"""When treatment began: day 1 and what goes with it (rules.md §3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from events.dates import DAY, Instant, Zone, parse_date
from events.treatment import TreatmentAdministered
from projections.rules.logic.truth import EventKey


class TreatmentStart(NamedTuple):
    """When treatment began, as far as the administrations on record say.

    ``day1_lo`` and ``day1_hi`` are the first and last possible day 1, as wall-clock midnights. ``timed`` is the instant of
    the first administration where it is certain. ``by_drug`` is the earliest instant at which each drug may have been given.
    """

    day1_lo: int
    day1_hi: int
    latest_first: Instant
    timed: Instant | None
    by_drug: Mapping[str, Instant]
    evidence: tuple[EventKey, ...]


def is_administration(event: TreatmentAdministered) -> bool:
    """Whether anything was given at all."""
    return event.data.status != "not-given"


def treatment_start(administrations: Iterable[TreatmentAdministered], zone: Zone) -> TreatmentStart | None:
    """Day 1 and what goes with it from every administration on record; None where nothing was given (rules.md §3.2)."""
    given = [(zone.resolve(parse_date(a.data.given)), a) for a in administrations if is_administration(a)]
    if not given:
        return None
    latest_first = min(span.hi for span, _ in given)
    contenders = [(span, a) for span, a in given if span.lo <= latest_first]
    first_wall = min(span.wall_lo for span, _ in contenders)
    by_drug: dict[str, Instant] = {}
    for span, a in given:
        drug = a.data.drug
        by_drug[drug] = min(span.lo, by_drug.get(drug, span.lo))
    return TreatmentStart(
        first_wall // DAY * DAY,
        zone.day_of(latest_first),
        latest_first,
        latest_first if all(span.exact for span, _ in contenders) else None,
        by_drug,
        tuple(sorted({EventKey(a.source, a.id) for _, a in contenders})),
    )
