"""What is known of one subject, in the form the rules ask it.

The chart (``projections.folds.subject_chart``) keeps these facts current event by event; the slow evaluation in the tests
builds them from a bare set of events. The rules only read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from events.adjudication import DltAdjudicated
from events.adverse_event import AdverseEventReported
from events.dates import DAY, Instant, Span, Zone, parse_date
from events.envelope import SubjectEvent
from events.subject import SubjectDiscontinued, SubjectEnrolled
from events.treatment import TreatmentAdministered
from projections.rules.protocol import Protocol
from projections.rules.truth import EventRef

E = TypeVar("E", covariant=True)


class Known(NamedTuple, Generic[E]):
    """One record at its effective revision, with the instant at which it was recorded."""

    event: E
    time: Instant


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
    evidence: tuple[EventRef, ...]


@dataclass(slots=True)
class SubjectFacts:
    """The effective records of one subject, retracted ones left out, with the indexes that the rules need.

    ``adjudications`` are listed by the case that they name. ``continued_by`` indexes the adverse events by the row they
    continue, ``same_term`` those that may reach a clause by their term; ``deadly`` and ``weighty`` are the ids of those that
    are fatal, and of those that could explain why treatment was stopped. ``known_at`` gives the facts as they were known at
    an instant.
    """

    protocol: Protocol
    subject: str
    zone: Zone
    known_at: Callable[[Instant], SubjectFacts]
    enrolment: Known[SubjectEnrolled] | None = None
    treatment: TreatmentStart | None = None
    discontinuations: dict[str, Known[SubjectDiscontinued]] = field(default_factory=dict)
    adverse_events: dict[str, Known[AdverseEventReported]] = field(default_factory=dict)
    adjudications: dict[str, dict[str, Known[DltAdjudicated]]] = field(default_factory=dict)
    analytes: Mapping[str, int] = field(default_factory=dict)
    continued_by: dict[str, set[str]] = field(default_factory=dict)
    same_term: dict[str, set[str]] = field(default_factory=dict)
    deadly: Set[str] = field(default_factory=set)
    weighty: Set[str] = field(default_factory=set)

    @property
    def part(self) -> str | None:
        """``"A"``, ``"B"`` or None where it is not on record."""
        return self.enrolment.event.data.part if self.enrolment else None

    @property
    def dose_level(self) -> int | None:
        """The dose level on record."""
        return self.enrolment.event.data.dose_level if self.enrolment else None

    def span(self, text: str) -> Span:
        """A clinical date of this subject as an interval in the site's time zone."""
        return self.zone.resolve(parse_date(text))


def reference(event: SubjectEvent) -> EventRef:
    """How an event is cited as evidence."""
    return EventRef(event.source, event.id)


def is_administration(event: TreatmentAdministered) -> bool:
    """Whether anything was given at all."""
    return event.data.status != "not-given"


def treatment_start(administrations: Iterable[TreatmentAdministered], zone: Zone) -> TreatmentStart | None:
    """Day 1 and what goes with it from every administration on record; None where nothing was given (RULES 3.2)."""
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
        tuple(sorted({reference(a) for _, a in contenders})),
    )
