"""The chart of one subject: every record by revision, and the facts that the rules judge, kept current event by event.

An event touches its case, not the history: ``fold`` names the cases that may be judged differently now. The chart is a
function of the set of events folded, whatever their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from events.adjudication import DltAdjudicated
from events.adverse_event import AdverseEventReported
from events.catalog import AnyEvent
from events.dates import FAR_PAST, Instant, PartialDate, parse_date, zone_named
from events.envelope import SubjectEvent
from events.laboratory import LabResulted
from events.visit import VisitRecorded
from projections.folds.latest_instant import LatestInstant
from projections.folds.record_history import RecordHistory, Version, effective, with_version
from projections.rules.adjudication import NOT_DLT
from projections.rules.analytes import analyte, canonical_case
from projections.rules.assess import AE, LAB, case_names, may_reach_a_clause
from projections.rules.grade_course import is_fatal
from projections.rules.linked_rows import coupled_cases, first_row, term_key
from projections.rules.protocol import Protocol
from projections.rules.stopping import PREFIX, could_explain_a_stop
from projections.rules.subject_facts import Known, SubjectFacts, TreatmentStart, is_administration, treatment_start

RecordKey = tuple[str, str]
Touched = set[str]

_NOTHING: Final[frozenset[str]] = frozenset()

#: What an overrule is judged by: the records that the machine's verdict at its time depended on.
_SNAPSHOT_KINDS: Final = frozenset({"enrolment", "administration", "discontinuation", "ae"})


class Observed(NamedTuple):
    """What is kept of a visit or a result, small enough to keep by the million.

    ``date`` is None where nothing was observed (a missed visit, a result not done); ``analyte`` is a result's.
    """

    date: PartialDate | None
    analyte: str | None


class SubjectChart:
    """All records of one subject under one protocol.

    ``high_water`` is the greatest ``time`` folded so far, none counted later than it was received.
    """

    def __init__(self, protocol: Protocol, subject: str) -> None:
        self.records: dict[RecordKey, RecordHistory] = {}
        self.facts = SubjectFacts(protocol, subject, protocol.zone, self.known_at)
        self.high_water: Instant = FAR_PAST
        self._observed = LatestInstant()
        self._analytes: dict[str, int] = {}
        self.facts.analytes = self._analytes
        self._deadly: set[str] = set()
        self._weighty: set[str] = set()
        self.facts.deadly, self.facts.weighty = self._deadly, self._weighty
        self._snapshots: dict[Instant, SubjectFacts] = {}
        self._change: dict[str, Callable[[str, Version | None, Version | None], Touched]] = {
            "enrolment": self._enrolment,
            "discontinuation": self._discontinuation,
            "administration": self._administration,
            "ae": self._adverse_event,
            "adjudication": self._adjudication,
            "visit": self._observation,
            "lab": self._observation,
        }

    def fold(self, event: AnyEvent, time: Instant, received: Instant | None = None) -> frozenset[str] | set[str]:
        """Take in one event recorded at ``time`` and name the cases that may be judged differently now."""
        reached = time if received is None or time < received else received
        if reached > self.high_water:
            self.high_water = reached
        kind = event.record_kind
        change = self._change.get(kind)
        if change is None or not isinstance(event, SubjectEvent):
            return _NOTHING
        key = (kind, event.record_id)
        version = Version(event.data.revision, time, event.id, event.source, event.retracts, _kept(event))
        history = self.records.get(key)
        if history is None:
            # Nearly every event is the first of its record.
            self.records[key] = (version,)
            touched = set() if version.retracts else change(key[1], None, version)
        else:
            now = with_version(history, version)
            if now is history:
                return _NOTHING
            self.records[key] = now
            before, after = effective(history), effective(now)
            touched = change(key[1], before, after) if after is not before else set()
        if self._snapshots and kind in _SNAPSHOT_KINDS:
            touched |= self._reopen_overrules(time)
        return touched

    @property
    def observed_until(self) -> Instant | None:
        """The latest dated observation (a visit not missed, a result done, an administration).

        It counts by the first instant that its date may mean.
        """
        return self._observed.latest

    def known_at(self, instant: Instant) -> SubjectFacts:
        """The facts as they were known at ``instant``: from the events recorded until then."""
        facts = self._snapshots.get(instant)
        if facts is None:
            then = SubjectChart(self.facts.protocol, self.facts.subject)
            for (kind, _), history in self.records.items():
                if kind in _SNAPSHOT_KINDS:
                    for version in history:
                        if version.time <= instant:
                            then.fold(version.event, version.time)
            facts = self._snapshots[instant] = then.facts
        return facts

    def all_cases(self) -> Touched:
        """Every name that a case of this subject may have now."""
        return set(case_names(self.facts))

    def _reopen_overrules(self, time: Instant) -> Touched:
        """What was known when a case was overruled has changed with a late event: judge those cases again."""
        stale = [instant for instant in self._snapshots if instant >= time]
        for instant in stale:
            del self._snapshots[instant]
        if not stale:
            return set()
        return {
            name
            for name, named in self.facts.adjudications.items()
            if any(known.event.data.verdict == NOT_DLT for known in named.values())
        }

    def _enrolment(self, _record: str, _before: Version | None, after: Version | None) -> Touched:
        facts = self.facts
        facts.enrolment = None if after is None else Known(after.event, after.time)
        zone_name = after.event.data.time_zone if after is not None else None
        zone = zone_named(zone_name) if zone_name else facts.protocol.zone
        if zone is not facts.zone:
            facts.zone = zone
            facts.treatment = self._treatment()
            self._observe_anew()
        return self.all_cases()

    def _discontinuation(self, scope: str, _before: Version | None, after: Version | None) -> Touched:
        touched = self.all_cases()
        if after is None or after.event.data.retracted:
            self.facts.discontinuations.pop(scope, None)
        else:
            self.facts.discontinuations[scope] = Known(after.event, after.time)
        return touched | self.all_cases()

    def _administration(self, _record: str, before: Version | None, after: Version | None) -> Touched:
        self._observe(_administered(before), _administered(after))
        if not (self._may_move_treatment(before) or self._may_move_treatment(after)):
            return set()
        treatment = self._treatment()
        if treatment == self.facts.treatment:
            return set()
        self.facts.treatment = treatment
        return self.all_cases()

    def _may_move_treatment(self, version: Version | None) -> bool:
        if version is None or not is_administration(version.event):
            return False
        known = self.facts.treatment
        if known is None:
            return True
        lo = self.facts.span(version.event.data.given).lo
        return lo <= max(known.latest_first, known.by_drug.get(version.event.data.drug, lo))

    def _treatment(self) -> TreatmentStart | None:
        given = [version.event for kind, version in self._effective() if kind == "administration"]
        return treatment_start(given, self.facts.zone)

    def _effective(self) -> Iterator[tuple[str, Version]]:
        for (kind, _), history in self.records.items():
            version = effective(history)
            if version is not None:
                yield kind, version

    def _adverse_event(self, ae_id: str, before: Version | None, after: Version | None) -> Touched:
        facts = self.facts
        touched = {ae_id} | coupled_cases(facts, ae_id)
        deadly = ae_id in self._deadly
        if before is not None:
            self._unindex(ae_id, before.event)
            del facts.adverse_events[ae_id]
        if after is not None:
            facts.adverse_events[ae_id] = Known(after.event, after.time)
            self._index(ae_id, after.event)
        touched |= coupled_cases(facts, ae_id)
        named = {f"{AE}{row}" for row in touched} | self._stops()
        if deadly or ae_id in self._deadly:
            # A death ends every other adverse event, and explains a stop.
            named |= self.all_cases()
        return named

    def _stops(self) -> Touched:
        return {PREFIX + known.event.data.reason for known in self.facts.discontinuations.values()}

    def _index(self, ae_id: str, event: AdverseEventReported) -> None:
        data = event.data
        if data.continues:
            self.facts.continued_by.setdefault(data.continues, set()).add(ae_id)
        if may_reach_a_clause(self.facts.protocol, event):
            self.facts.same_term.setdefault(term_key(data.preferred_term, data.term), set()).add(ae_id)
        if is_fatal(event):
            self._deadly.add(ae_id)
        if could_explain_a_stop(event):
            self._weighty.add(ae_id)

    def _unindex(self, ae_id: str, event: AdverseEventReported) -> None:
        data = event.data
        self._deadly.discard(ae_id)
        self._weighty.discard(ae_id)
        for index, key in (
            (self.facts.continued_by, data.continues),
            (self.facts.same_term, term_key(data.preferred_term, data.term)),
        ):
            if key in index:
                index[key].discard(ae_id)
                if not index[key]:
                    del index[key]

    def _adjudication(self, adjudication_id: str, before: Version | None, after: Version | None) -> Touched:
        touched: Touched = set()
        for version in (before, after):
            if version is None:
                continue
            event: DltAdjudicated = version.event
            name = canonical_case(event.data.case)
            named = self.facts.adjudications.setdefault(name, {})
            if version is after:
                named[adjudication_id] = Known(event, version.time)
            else:
                named.pop(adjudication_id, None)
            if not named:
                del self.facts.adjudications[name]
            touched.add(name)
            if name.startswith(AE):
                touched.add(AE + first_row(self.facts, name.removeprefix(AE)))
        return touched

    def _observation(self, _record: str, before: Version | None, after: Version | None) -> Touched:
        seen: Observed | None = before.event if before is not None else None
        sees: Observed | None = after.event if after is not None else None
        self._observe(seen.date if seen is not None else None, sees.date if sees is not None else None)
        touched: Touched = set()
        for observed, step in ((seen, -1), (sees, 1)):
            if observed is not None and observed.analyte is not None:
                count = self._analytes.get(observed.analyte, 0) + step
                self._analytes[observed.analyte] = count
                if count <= 1 and LAB + observed.analyte in self.facts.adjudications:
                    touched.add(LAB + observed.analyte)
        return touched

    def _observe(self, before: PartialDate | None, after: PartialDate | None) -> None:
        """Keep the latest observation current as the date of one changes."""
        if before == after:
            return
        if before is not None:
            self._observed.remove(self._first_instant(before))
        if after is not None:
            self._observed.add(self._first_instant(after))

    def _observe_anew(self) -> None:
        self._observed = LatestInstant()
        for kind, version in self._effective():
            date = _date_of(kind, version)
            if date is not None:
                self._observed.add(self._first_instant(date))

    def _first_instant(self, date: PartialDate) -> Instant:
        return date.first if date.precision == "instant" else self.facts.zone.to_instant(date.first)


def _date_of(kind: str, version: Version) -> PartialDate | None:
    if kind == "administration":
        return _administered(version)
    observed = version.event
    return observed.date if isinstance(observed, Observed) else None


def _administered(version: Version | None) -> PartialDate | None:
    if version is None or not is_administration(version.event):
        return None
    return parse_date(version.event.data.given)


def _kept(event: AnyEvent) -> Any:
    """What the chart keeps of an event: of an observation no more than its date, for there may be a million of them."""
    if isinstance(event, LabResulted):
        data = event.data
        if data.status == "not-done":
            return Observed(None, None)
        return Observed(parse_date(data.collected), analyte(data.test))
    if isinstance(event, VisitRecorded):
        return Observed(parse_date(event.data.date) if event.data.status != "missed" else None, None)
    return event
