"""What a report of a lower revision says beyond the version in effect (rules.md §6). Pure.

Such a report changes no verdict. Where it was recorded later and says something graver, a person must look: a counter that was
started again, as after a site's system was restored, would hide every correction from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from events.adverse_event import AdverseEventReported
from events.catalog import AnyEvent
from events.subject import SubjectDiscontinued
from projections.ctcae.grading import grade_result
from projections.folds.record_history import RecordVersion, effective
from projections.folds.subject_chart import SubjectChart
from projections.rules.facts.grade_course import is_fatal, worst_grade
from projections.rules.facts.lab_results import LabResult

#: From which grade on a report that is not used calls for a person.
SEVERE_GRADE: Final = 3


class Superseded(NamedTuple):
    """An event that changes nothing, because revision ``known`` of its record is in effect.

    ``says_more`` are the words for what it says beyond that version; nothing where it was not recorded later.
    """

    revision: int
    known: int
    says_more: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Without anything that the sender wrote."""
        return (
            f"revision {self.revision} was recorded after revision {self.known}, which is in effect, and says more: "
            f"{', '.join(self.says_more)}"
        )


def superseded_by_known(chart: SubjectChart, event: AnyEvent) -> Superseded | None:
    """Whether an event that the chart has just taken in is of a lower revision than one that it knew already."""
    history = chart.records.get((event.record_kind, event.record_id))
    if history is None or len(history) == 1:
        return None
    newest = history[-1]
    version = next((one for one in history if one.id == event.id and one.source == event.source), newest)
    if version.revision >= newest.revision:
        return None
    more: tuple[str, ...] = ()
    if version.time > newest.time and not version.retracts:
        standing = effective(history)
        more = tuple(says_more(chart.facts.protocol.ctcae_version, version, standing))
    return Superseded(version.revision, newest.revision, more)


def says_more(ctcae_version: str, version: RecordVersion, standing: RecordVersion | None) -> Iterator[str]:
    """What a version says beyond the one in effect (None: retracted): a higher grade from 3 on, serious, fatal."""
    said, known = version.event, standing.event if standing is not None else None
    if isinstance(said, AdverseEventReported):
        yield from _adverse_event(said, known)
    elif isinstance(said, LabResult):
        yield from _grade(_lab_grade(ctcae_version, said), _lab_grade(ctcae_version, known) if known else None)
    elif isinstance(said, SubjectDiscontinued) and _is_death(said) and not _is_death(known):
        yield "fatal"


def _adverse_event(said: AdverseEventReported, known: AdverseEventReported | None) -> Iterator[str]:
    if is_fatal(said) and (known is None or not is_fatal(known)):
        yield "fatal"
    else:
        yield from _grade(worst_grade(said), worst_grade(known) if known is not None else None)
    before = _seriousness(known) if known is not None else frozenset()
    new = sorted(_seriousness(said) - before - {"death"})
    # That it is serious without saying why is more only where nothing said so.
    named = [word for word in new if word != "serious"]
    if named:
        yield f"serious ({', '.join(named)})"
    elif new:
        yield "serious"


def _seriousness(event: AdverseEventReported) -> frozenset[str]:
    words: Iterable[str] = event.data.seriousness or ()
    return frozenset((*words, "serious")) if event.data.serious or words else frozenset()


def _grade(said: int | None, known: int | None) -> Iterator[str]:
    if said is not None and said >= SEVERE_GRADE and (known is None or said > known):
        yield f"grade {said}"


def _lab_grade(ctcae_version: str, result: LabResult) -> int | None:
    """The grade that a result has at least, by itself; None where it has none."""
    grades = grade_result(ctcae_version, result.kind.assay, result.value)
    return max((grade.grade_min for grade in grades if grade.grade_min is not None), default=None)


def _is_death(event: object) -> bool:
    return isinstance(event, SubjectDiscontinued) and event.data.reason == "death" and not event.data.retracted
