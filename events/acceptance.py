"""The rules of rules.md §6 that look at more than the shape of one field.

:class:`Acceptance` is asked once per event, after the models have checked the shape. One function per class of event
says which rules hold for it; the table :data:`CHECKS` names them. Two clinical dates are compared only in the sense
"certain in every time zone": the time zone of a site may be corrected later, and what was refused cannot come back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from events.adjudication import DltAdjudicated
from events.adverse_event import AdverseEventReported, AdverseEventReportedData
from events.alert import AlertRaised, AlertRevised, AlertWithdrawn
from events.bounds import beyond_bounds
from events.catalog import AnyEvent
from events.clock import ClockReached, ProtocolActivated
from events.dates import (
    MINUTE,
    SECOND,
    YEAR_FIRST,
    YEAR_LAST,
    Instant,
    PartialDate,
    certainly_before,
    earliest,
    format_instant,
    from_datetime,
    parse_date,
    parse_instant,
    starts_certainly_after,
    zone_named,
)
from events.envelope import Envelope
from events.errors import BadField, EventRefused, ForeignSource, ForeignSubject, WrongTrial
from events.faults import Fault, listed, masked, show
from events.laboratory import LabResulted
from events.response import ResponseAssessed
from events.subject import SubjectDiscontinued, SubjectEnrolled
from events.subject_pattern import ID_CHARS_MAX
from events.treatment import TreatmentAdministered
from events.visit import VisitRecorded

AHEAD_TOLERATED: Final = 15 * MINUTE
OWN_SOURCES: Final = "urn:toxwatch:"
STUDY_TREATMENT: Final = "study-treatment"
INJECTION_PROCEDURE: Final = "injection-procedure"
SUBJECTS_KNOWN_MAX: Final = 20_000

# What zoneinfo finds on some machines, and what is another zone, or none, on the next.
_MACHINE_ZONES: Final = re.compile(r"(posix|right)/|localtime$|posixrules$|Factory$", re.IGNORECASE)
_from_isoformat: Final = datetime.fromisoformat
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Within these no offset can carry an instant into a year that is refused.
_YEAR_CERTAIN_LO: Final = from_datetime(datetime(YEAR_FIRST, 1, 3, tzinfo=UTC))
_YEAR_CERTAIN_HI: Final = from_datetime(datetime(YEAR_LAST, 12, 29, tzinfo=UTC))
_YEAR_LO: Final = f"{YEAR_FIRST:04d}"
_YEAR_HI: Final = f"{YEAR_LAST:04d}"


@dataclass(frozen=True)
class TrialContract:
    """What the configuration of a trial says about its events.

    ``subject_pattern`` may have a group named ``site``; the ``site`` attribute must then agree with it.
    ``sponsor_sources`` are shell patterns of the sources whose sponsor and committee signatures count. ``parts`` None: a
    subject's part may have any name.
    """

    trial: str
    subject_pattern: str
    drugs: frozenset[str]
    sponsor_sources: tuple[str, ...] = ("urn:sponsor:*",)
    parts: tuple[str, ...] | None = None


class _Dated(NamedTuple):
    """A clinical date, and the earliest ``time`` at which an event may speak of it as past."""

    date: PartialDate
    sayable_from: Instant


@lru_cache(maxsize=65536)
def _read(text: str) -> _Dated:
    date = parse_date(text)
    _refuse_year(text)
    return _Dated(date, date.first - AHEAD_TOLERATED if date.timed else earliest(date))


def _refuse_year(text: str) -> None:
    if not _YEAR_LO <= text[:4] <= _YEAR_HI:
        raise ValueError(f"the year must lie within {YEAR_FIRST}-{YEAR_LAST}")


def _read_instant(text: str) -> Instant:
    """A date-time of which the model has checked the pattern; three times as fast as :func:`parse_instant`."""
    try:
        elapsed = _from_isoformat(text) - _EPOCH
    except ValueError:
        # Lower-case letters, or a date that does not exist.
        instant = parse_instant(text)
    else:
        instant = (elapsed.days * 86400 + elapsed.seconds) * SECOND + elapsed.microseconds
    if not _YEAR_CERTAIN_LO < instant < _YEAR_CERTAIN_HI:
        _refuse_year(text)
    return instant


class _Review:
    """One event under the checks of one trial: when it was recorded, and what is wrong with it."""

    __slots__ = ("faults", "time", "trial")

    time: Instant

    def __init__(self, trial: Acceptance) -> None:
        self.trial = trial
        self.faults: list[Fault] = []

    def refuse(self, field: str, rule: str, kind: type[EventRefused] = BadField) -> None:
        self.faults.append(Fault(field, rule, kind))

    def instant(self, field: str, text: str) -> Instant:
        """The instant of a well-formed date-time; 0 beside a fault."""
        try:
            return _read_instant(text)
        except ValueError as error:
            self.refuse(field, f"{show(text)}: {error}")
            return 0

    def date(self, field: str, text: str | None) -> PartialDate | None:
        """The date, whenever it is."""
        if text is None:
            return None
        try:
            return _read(text).date
        except ValueError as error:
            self.refuse(field, f"{show(text)}: {error}")
            return None

    def past(self, field: str, text: str | None) -> PartialDate | None:
        """The date, which must not be later than the event that speaks of it."""
        if text is None:
            return None
        try:
            date, sayable_from = _read(text)
        except ValueError as error:
            self.refuse(field, f"{show(text)}: {error}")
            return None
        if sayable_from > self.time:
            self.refuse(field, f"{show(text)} is later than the event's own time, {format_instant(self.time)}")
        return date

    def keys(self, field: str, keys: Iterable[str], known: tuple[str, ...]) -> None:
        """Of an object whose keys are study drugs."""
        for key in keys:
            if key not in known:
                self.refuse(field, f"{show(key)} is not a study drug of this trial; use {listed(known)}")

    def own(self, event: Envelope, name: str) -> None:
        """Only Toxwatch itself publishes the type."""
        source = event.source
        if not source.startswith(OWN_SOURCES) or len(source) == len(OWN_SOURCES):
            rule = f"{show(source)} may not publish {name}; only Toxwatch itself does (urn:toxwatch:*)"
            self.refuse("source", rule, ForeignSource)


class Acceptance:
    """The checks of one trial."""

    def __init__(self, contract: TrialContract) -> None:
        self.contract = contract
        self._trial = contract.trial
        self._subject_pattern = re.compile(contract.subject_pattern)
        self._names_site = "site" in self._subject_pattern.groupindex
        # The last site with which a subject was found in order: the next event of both need not be looked at.
        self._sites: dict[str, str] = {}
        drugs = sorted(contract.drugs)
        self.causality_keys: Final = (*drugs, STUDY_TREATMENT, INJECTION_PROCEDURE)
        self.action_keys: Final = (*drugs, STUDY_TREATMENT)

    def check(self, event: AnyEvent) -> tuple[Instant, Instant, list[Fault]]:
        """The instants at which the event was recorded and received, and every rule that it breaks."""
        review = _Review(self)
        time_known = True
        try:
            review.time = time = received = _read_instant(event.time)
            if event.receivedtime is not None:
                received = _read_instant(event.receivedtime)
        except ValueError:
            time = review.time = received = review.instant("time", event.time)
            time_known = not review.faults
            if event.receivedtime is not None:
                review.instant("receivedtime", event.receivedtime)
        if event.trial != self._trial:
            rule = f"{show(event.trial)} is another trial; events of {self._trial} are taken here"
            # The subject is another trial's too, and none of our rules applies.
            return time, received, [Fault("trial", rule, WrongTrial)]
        kind = type(event)
        # By class, because an extension attribute of an event about no subject may have the name.
        if kind is not ProtocolActivated:
            subject: str | None = event.subject  # type: ignore[union-attr]
            site = event.site  # type: ignore[union-attr]
            if subject is not None and self._sites.get(subject) != site:
                self._check_subject(subject, site, review)
        review.faults.extend(beyond_bounds(event))
        check = CHECKS.get(kind)
        if check is not None and time_known:  # without it every date in the event would look late
            check(event, review)
        return time, received, review.faults

    def is_ours(self, subject: object) -> bool:
        """Whether a value is a subject id of the trial's pattern."""
        # Nothing longer is an id, and the pattern is made for ids: a long text might keep it busy.
        is_short = isinstance(subject, str) and len(subject) <= ID_CHARS_MAX
        return is_short and self._subject_pattern.fullmatch(str(subject)) is not None

    def _check_subject(self, subject: str, site: str | None, review: _Review) -> None:
        match = self._subject_pattern.fullmatch(subject)
        if match is None:
            rule = f"{masked(subject)} is not a subject id of this trial"
            review.refuse("subject", rule, ForeignSubject)
            return
        named = match["site"] if self._names_site else site
        if named is not None and site is not None and site != named:
            rule = f"{show(site)} is not the site that the subject id names ({named})"
            review.refuse("site", rule, ForeignSubject)
        elif site is not None:
            if len(self._sites) >= SUBJECTS_KNOWN_MAX:
                self._sites.clear()
            self._sites[subject] = site


def _enrolled(event: SubjectEnrolled, review: _Review) -> None:
    data = event.data
    review.past("data.enrolled", data.enrolled)
    parts = review.trial.contract.parts
    if data.part is not None and parts is not None and data.part not in parts:
        review.refuse("data.part", f"{show(data.part)} is not one of {listed(parts)}")
    if data.time_zone is not None:
        try:
            if _MACHINE_ZONES.match(data.time_zone):
                raise ValueError
            zone_named(data.time_zone)
        except ValueError:
            rule = f"{show(data.time_zone)} is not an IANA time zone, such as Europe/Paris"
            review.refuse("data.time_zone", rule)


def _discontinued(event: SubjectDiscontinued, review: _Review) -> None:
    review.past("data.date", event.data.date)
    review.past("data.last_contact", event.data.last_contact)


def _administered(event: TreatmentAdministered, review: _Review) -> None:
    review.past("data.given", event.data.given)
    if event.data.drug not in review.trial.contract.drugs:
        rule = (
            f"{show(event.data.drug)} is not a drug of this protocol; use {listed(sorted(review.trial.contract.drugs))}"
        )
        review.refuse("data.drug", rule)


def _visited(event: VisitRecorded, review: _Review) -> None:
    if event.data.status == "missed":
        review.date("data.date", event.data.date)
    else:
        review.past("data.date", event.data.date)


def _resulted(event: LabResulted, review: _Review) -> None:
    data = event.data
    value = data.value
    if value is not None and value < 0:
        review.refuse("data.value", f"{show(value)} is negative, which no concentration is")
    review.past("data.collected", data.collected)


def _responded(event: ResponseAssessed, review: _Review) -> None:
    review.past("data.date", event.data.date)


def _adjudicated(event: DltAdjudicated, review: _Review) -> None:
    review.past("data.decided", event.data.decided)
    for index, signature in enumerate(event.data.signatures):
        review.past(f"data.signatures[{index}].at", signature.at)


def _adverse_event(event: AdverseEventReported, review: _Review) -> None:
    data = event.data
    onset = review.past("data.onset", data.onset)
    end = review.past("data.end", data.end)
    if data.end is not None and data.ongoing:
        review.refuse("data.end", f"{show(data.end)} is given although ongoing is true; send one of the two")
    if end is not None and onset is not None and certainly_before(end, onset):
        review.refuse("data.end", f"{show(data.end)} is before the onset, {show(data.onset)}")
    if data.grades:
        _steps(data, onset, end, review)
    review.past("data.aware", data.aware)
    review.past("data.sponsor_aware", data.sponsor_aware)
    if data.causality is not None:
        review.keys("data.causality.investigator", data.causality.investigator or (), review.trial.causality_keys)
        review.keys("data.causality.sponsor", data.causality.sponsor or (), review.trial.causality_keys)
    if data.action_taken is not None:
        review.keys("data.action_taken", data.action_taken, review.trial.action_keys)


def _steps(data: AdverseEventReportedData, onset: PartialDate | None, end: PartialDate | None, review: _Review) -> None:
    """The grade steps: each within the toxicity, and none certainly begun before one that stands above it."""
    # Bare dates and instants are not one order across time zones, so the latest of either kind is kept.
    latest_timed: PartialDate | None = None
    latest_bare: PartialDate | None = None
    for index, step in enumerate(data.grades or ()):
        field = f"data.grades[{index}].from"
        date = review.past(field, step.from_)
        if date is None:
            continue
        if (latest_bare is not None and starts_certainly_after(latest_bare, date)) or (
            latest_timed is not None and starts_certainly_after(latest_timed, date)
        ):
            review.refuse(field, f"{show(step.from_)} is earlier than a step before it; list them by date")
        if onset is not None and certainly_before(date, onset):
            review.refuse(field, f"{show(step.from_)} is before the onset, {show(data.onset)}")
        if end is not None and certainly_before(end, date):
            review.refuse(field, f"{show(step.from_)} is after the end, {show(data.end)}")
        if date.timed:
            latest_timed = date if latest_timed is None or date.first > latest_timed.first else latest_timed
        else:
            latest_bare = date if latest_bare is None or date.first > latest_bare.first else latest_bare


def _clock(event: ClockReached, review: _Review) -> None:
    review.own(event, event.type)
    review.date("data.due", event.data.due)


def _protocol(event: ProtocolActivated, review: _Review) -> None:
    review.own(event, event.type)


def _alert(event: AlertRaised | AlertRevised | AlertWithdrawn, review: _Review) -> None:
    review.own(event, event.type)
    review.date("data.due", event.data.due)
    review.date("data.detected_at", event.data.detected_at)


# Retractions have no date and no number of their own: the models and the envelope say it all.
CHECKS: Final[dict[type, Callable[[Any, _Review], None]]] = {
    SubjectEnrolled: _enrolled,
    SubjectDiscontinued: _discontinued,
    TreatmentAdministered: _administered,
    VisitRecorded: _visited,
    LabResulted: _resulted,
    AdverseEventReported: _adverse_event,
    DltAdjudicated: _adjudicated,
    ResponseAssessed: _responded,
    ClockReached: _clock,
    ProtocolActivated: _protocol,
    AlertRaised: _alert,
    AlertRevised: _alert,
    AlertWithdrawn: _alert,
}
