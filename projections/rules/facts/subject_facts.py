"""What is known of one subject, in the form the rules ask it.

The chart (``projections.folds.subject_chart``) keeps these facts current event by event; the slow evaluation in the tests
builds them from a bare set of events. The rules only read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from events.adjudication import DltAdjudicated
from events.adverse_event import AdverseEventReported
from events.dates import Instant, Span, Zone, parse_date
from events.envelope import SubjectEvent
from events.subject import SubjectDiscontinued, SubjectEnrolled
from projections.rules.facts.dosing_order import is_before_treatment
from projections.rules.facts.laboratory import Laboratory
from projections.rules.facts.treatment import TreatmentStart
from projections.rules.logic.trial_protocol import Part, TrialProtocol, window_length
from projections.rules.logic.truth import EventKey

E = TypeVar("E", covariant=True)

ASK_PART: Final = "Which part of the study is the subject in? Not on record: judged as Part {presumed}."
ASK_OTHER_PART: Final = (
    "Which part of the study is the subject in? Version {version} of the protocol has no Part {part}: judged as Part "
    "{presumed}."
)


class Known(NamedTuple, Generic[E]):
    """One record at its effective revision, with the instant at which it was recorded."""

    event: E
    time: Instant


@dataclass(slots=True)
class SubjectFacts:
    """The effective records of one subject, retracted ones left out, with the indexes that the rules need.

    ``adjudications`` are listed by the case that they name. ``continued_by`` indexes the adverse events by the row they
    continue, ``same_term`` those that may reach a clause by their term; ``deadly`` and ``weighty`` are the ids of those that
    are fatal, and of those that could explain why treatment was stopped; ``explaining`` those whose term explains an analyte
    (``ALT:high``). ``known_at`` gives the facts as they were known at an instant.
    """

    protocol: TrialProtocol
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
    explaining: dict[str, set[str]] = field(default_factory=dict)
    laboratory: Laboratory = field(init=False)

    def __post_init__(self) -> None:
        self.laboratory = Laboratory(
            self.protocol.ctcae_version, lambda draw: is_before_treatment(self.treatment, draw)
        )

    @property
    def part(self) -> str | None:
        """The name of the subject's part; None where it is not on record."""
        return self.enrolment.event.data.part if self.enrolment else None

    @property
    def judged_part(self) -> Part:
        """The part by whose meaning the subject is judged: their own, else the one that is presumed."""
        return self.protocol.part_named(self.part) or self.protocol.presumed_part

    @property
    def part_question(self) -> str | None:
        """What to ask where the part is presumed: it is not on record, or the version that judges declares none of the name."""
        if self.part is None:
            return ASK_PART.format(presumed=self.judged_part.name)
        if self.protocol.part_named(self.part) is None:
            return ASK_OTHER_PART.format(part=self.part, version=self.protocol.version, presumed=self.judged_part.name)
        return None

    @property
    def window_days(self) -> int | None:
        """How many days the subject's window has; None: it has no end."""
        return self.protocol.window_days_of(self.judged_part)

    @property
    def window(self) -> int:
        """The length of the subject's window in microseconds of wall clock."""
        return window_length(self.window_days)

    @property
    def site(self) -> str | None:
        """The site that enrolled the subject; None where that is not on record."""
        return self.enrolment.event.site if self.enrolment else None

    @property
    def dose_level(self) -> int | None:
        """The dose level on record."""
        return self.enrolment.event.data.dose_level if self.enrolment else None

    def span(self, text: str) -> Span:
        """A clinical date of this subject as an interval in the site's time zone."""
        return self.zone.resolve(parse_date(text))


def reference(event: SubjectEvent) -> EventKey:
    """How an event is cited as evidence."""
    return EventKey(event.source, event.id)
