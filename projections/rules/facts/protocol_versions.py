"""Which version of the protocol judges a subject (rules.md §7).

The one that the enrolment names; else the one in force on the enrolment date; without an enrolment, on day 1; without either,
the newest. Where a date may lie on either side of an amendment, each version that it may be judges, oldest first. The answer
depends on the enrolment and on day 1 alone, so it is looked up again only when one of these changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from events.dates import DAY, Span, Zone
from events.subject import SubjectEnrolled
from projections.rules.facts.treatment import TreatmentStart
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.rules.logic.wording import written

EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Judging:
    """The versions that judge a subject, oldest first; several only where it is not known which, and then the question.

    ``query`` is what to ask of an enrolment that names a version that there is not.
    """

    versions: tuple[TrialProtocol, ...]
    question: str | None = None
    query: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the versions."""
        return tuple(one.version for one in self.versions)


def judged_by(
    protocol: TrialProtocol, enrolment: SubjectEnrolled | None, enrolled: Span | None, day_1: Span | None
) -> Judging:
    """The versions that judge a subject. ``enrolled`` and ``day_1`` are the dates of enrolment and first administration."""
    named = enrolment.data.protocol_version if enrolment is not None else None
    places = [at for at, one in enumerate(protocol.versions) if one.version == named]
    if places:
        return Judging(_applying(protocol, places))
    query = None if named is None else _unknown_name(protocol, named)
    about, date = ("enrolment", enrolled) if enrolled is not None else ("first administration", day_1)
    if date is None:
        return Judging((protocol,), query=query)
    versions = _applying(protocol, _in_force(protocol, date))
    return Judging(versions, None if len(versions) == 1 else _which(versions, about, date), query)


def day_1_span(treatment: TreatmentStart | None, zone: Zone) -> Span | None:
    """When the first administration was, as exactly as it is on record; None without one."""
    if treatment is None:
        return None
    if treatment.timed is not None:
        return zone.span_between(treatment.timed, treatment.timed)
    end = treatment.day1_hi + DAY
    return Span(zone.to_instant(treatment.day1_lo), zone.to_instant(end) - 1, treatment.day1_lo, end - 1, True)


def _in_force(protocol: TrialProtocol, date: Span) -> list[int]:
    """The places of the versions in force at some instant of a date."""
    starts = [one.in_force_from for one in protocol.versions]
    ends = [*starts[1:], None]
    return [
        at
        for at, (start, end) in enumerate(zip(starts, ends, strict=True))
        if start <= date.hi and (end is None or date.lo < end)
    ]


def _applying(protocol: TrialProtocol, places: list[int]) -> tuple[TrialProtocol, ...]:
    """The versions at these places, none older than the newest that applies to everyone."""
    versions = protocol.versions
    oldest = max((at for at, one in enumerate(versions) if one.applies_to == EVERYONE), default=0)
    return tuple(versions[at] for at in sorted({max(oldest, at) for at in places}))


def _which(versions: tuple[TrialProtocol, ...], about: str, date: Span) -> str:
    changes = ", ".join(f"version {one.version} came into force on {one.effective}" for one in versions[1:])
    return (
        f"When exactly was the {about}, or which version of the protocol is the subject treated under? On record is "
        f"{written(date)}, and {changes}: judged by each."
    )


def _unknown_name(protocol: TrialProtocol, named: str) -> str:
    known = ", ".join(one.version for one in protocol.versions)
    return (
        f"The enrolment names protocol version {named!r}, which is not configured (configured: {known}): which one is it? "
        "Judged by the version in force on the date."
    )
