"""One adverse event case as the predicates see it: joined rows, their course, and what bounds it (rules.md §3.4, §3.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from events.adverse_event import AdverseEventReported
from events.dates import DAY, FAR_FUTURE, Instant, Span
from projections.rules.facts import terms
from projections.rules.facts.causality import related_to_study_drugs
from projections.rules.facts.ending import death_of, last_contact_of
from projections.rules.facts.grade_course import GradeCourse, grade_course
from projections.rules.facts.lexicon import TermReading
from projections.rules.facts.linked_rows import first_row, joined_rows, term_key
from projections.rules.facts.subject_facts import Known, SubjectFacts, reference
from projections.rules.logic.duration import earlier, gap_at_most, joined_times, longest_sum, sum_reaches
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.truth import Answer, EventKey, conjunction, disjunction

#: Rows of one term at most so far apart may be one toxicity (rules.md §3.5).
SAME_TOXICITY_GAP = DAY


class AdverseEventCase:
    """The rows linked into one toxicity of one subject. Everything is worked out when asked, and once."""

    def __init__(self, facts: SubjectFacts, first: str) -> None:
        self.facts = facts
        self.first = first
        self.row_ids = joined_rows(facts, first)
        self.rows: list[Known[AdverseEventReported]] = [facts.adverse_events[row] for row in self.row_ids]

    @property
    def protocol(self) -> TrialProtocol:
        """The protocol that the case is judged under."""
        return self.facts.protocol

    @cached_property
    def course(self) -> GradeCourse:
        """The grade over time."""
        return grade_course(self.rows, self.facts.zone)

    @cached_property
    def sources(self) -> tuple[EventKey, ...]:
        """The events of the rows."""
        return tuple(reference(row.event) for row in self.rows)

    @cached_property
    def death(self) -> Span | None:
        """When the subject died: no adverse event lasts beyond it."""
        return death_of(self.facts)

    @cached_property
    def last_contact(self) -> Span | None:
        """Until when an open interval is certain after the end of study participation."""
        return last_contact_of(self.facts)

    @cached_property
    def end(self) -> Span | None:
        """When the case ended, death taken into account; None while it goes on."""
        return self.until_death(self.course.end)

    @property
    def presumed_ongoing(self) -> bool:
        """Whether nothing on record ends it."""
        return self.end is None

    @cached_property
    def related(self) -> Answer:
        """Related to the study drugs, over all rows."""
        return disjunction(related_to_study_drugs(self.facts, row, self._onset_of(row)) for row in self.rows)

    @cached_property
    def immune_related(self) -> Answer:
        """Immune related, over all rows."""
        return self._any(terms.immune_related)

    @cached_property
    def major_end_organ(self) -> Answer:
        """A major end organ involved, over all rows."""
        return disjunction(
            terms.major_end_organ(row.event, terms.term_reading(row.event), self.protocol) for row in self.rows
        )

    @cached_property
    def injection_site_reaction(self) -> Answer:
        """An injection site reaction, over all rows."""
        return self._any(terms.injection_site_reaction)

    @cached_property
    def flu_like_and_responding(self) -> Answer:
        """Flu-like and responding to standard therapy: the weakest answer of all rows, for an exemption is never assumed."""
        return conjunction(
            answer
            for row in self.rows
            for answer in (
                terms.flu_like(row.event, terms.term_reading(row.event)),
                terms.responded_to_therapy(row.event),
            )
        )

    def until_death(self, end: Span | None) -> Span | None:
        """An end, or the death if that came first."""
        if self.death is None:
            return end
        return self.death if end is None else earlier(end, self.death)

    def runs(self, threshold: int) -> list[tuple[Span, Span | None]]:
        """The contiguous times possibly at ``threshold`` or more, short of death."""
        return joined_times([(start, self.until_death(end)) for start, end in self.course.runs(threshold)])

    def one_toxicity_in_two_rows(self, threshold: int, limit: int) -> tuple[Instant, AdverseEventCase] | None:
        """When this case and another of the same term may together have lasted longer than ``limit``, and which."""
        found: list[tuple[Instant, str, AdverseEventCase]] = []
        for other in self._same_term_cases():
            if not self._adjacent(other):
                continue
            own, own_open = longest_sum(self.runs(threshold), since=None)
            more, more_open = longest_sum(other.runs(threshold), since=None)
            if not (more or more_open):
                continue
            reached = sum_reaches(own + more, [*own_open, *more_open], limit, self.facts.zone)
            if reached is not None:
                found.append((reached, other.first, other))
        if not found:
            return None
        reached, _, other = min(found, key=lambda item: item[:2])
        return reached, other

    def _same_term_cases(self) -> Iterator[AdverseEventCase]:
        names: set[str] = set()
        for row_id, row in zip(self.row_ids, self.rows, strict=True):
            twins = self.facts.same_term.get(term_key(row.event.data.preferred_term, row.event.data.term), ())
            if row_id in twins:
                names |= {first_row(self.facts, twin) for twin in twins}
        for name in sorted(names - {self.first}):
            yield AdverseEventCase(self.facts, name)

    def _adjacent(self, other: AdverseEventCase) -> bool:
        return gap_at_most(self.end, other.course.onset, SAME_TOXICITY_GAP) and gap_at_most(
            other.end, self.course.onset, SAME_TOXICITY_GAP
        )

    def _any(self, ask: Callable[[AdverseEventReported, TermReading], Answer]) -> Answer:
        return disjunction(ask(row.event, terms.term_reading(row.event)) for row in self.rows)

    def _onset_of(self, row: Known[AdverseEventReported]) -> Span:
        onset = row.event.data.onset
        if onset:
            return self.facts.span(onset)
        # Without an onset it may have begun at any time up to when it was recorded.
        return self.course.onset._replace(hi=FAR_FUTURE) if row is not self.rows[0] else self.course.onset
