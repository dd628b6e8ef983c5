"""The chart of one subject: every record by revision, and the facts that the rules judge, kept current event by event.

An event touches its case, not the history: ``fold`` names the cases that may be judged differently now. The chart is a
function of the set of events folded, whatever their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from events.adjudication import DltAdjudicated
from events.adverse_event import AdverseEventReported
from events.catalog import AnyEvent
from events.dates import FAR_PAST, Instant, PartialDate, Span, zone_named
from events.envelope import SubjectEvent
from events.treatment import TreatmentAdministered
from projections.folds.kept_records import administered, date_of, kept, regraded
from projections.folds.latest_instant import LatestInstant
from projections.folds.record_history import RecordHistory, RecordVersion, effective, with_version
from projections.rules.cases.accounting import explained_analytes
from projections.rules.cases.adjudication import NOT_DLT
from projections.rules.cases.assess import AE, case_names, may_reach_a_clause
from projections.rules.cases.stopping import PREFIX, could_explain_a_stop
from projections.rules.facts.analytes import canonical_case
from projections.rules.facts.grade_course import is_fatal
from projections.rules.facts.lab_results import LAB, Draw, LabResult
from projections.rules.facts.linked_rows import coupled_cases, first_row, joined_rows, term_key
from projections.rules.facts.protocol_versions import Judging, day_1_span, judged_by
from projections.rules.facts.subject_facts import Known, SubjectFacts
from projections.rules.facts.treatment import TreatmentStart, is_administration, treatment_start
from projections.rules.logic.trial_protocol import TrialProtocol

RecordKey = tuple[str, str]
Touched = set[str]

_NOTHING: Final[frozenset[str]] = frozenset()
#: The records that say which version of the protocol judges.
_DATING_KINDS: Final = frozenset({"enrolment", "administration"})
#: What an overrule is judged by: the records that the machine's verdict at its time depended on.
_SNAPSHOT_KINDS: Final = frozenset({"enrolment", "administration", "discontinuation", "ae", "lab"})


class SubjectChart:
    """All records of one subject under the versions of the protocol that judge it; ``under`` one version, whatever it names.

    ``facts`` are as the oldest of these versions reads the records, ``others`` charts of the same records under each of the
    rest: there are some only while it is not known which version judges. ``high_water`` is the greatest ``time`` folded so
    far, none counted later than it was received.
    """

    def __init__(self, protocol: TrialProtocol, subject: str, under: TrialProtocol | None = None) -> None:
        self.protocol = protocol
        self.records: dict[RecordKey, RecordHistory] = {}
        self.high_water: Instant = FAR_PAST
        self.others: tuple[SubjectChart, ...] = ()
        self._is_fixed = under is not None
        self.judging = judged_by(protocol, None, None, None) if under is None else Judging((under,))
        self._change: dict[
            str, Callable[[str, RecordVersion | None, RecordVersion | None], Touched | frozenset[str]]
        ] = {
            "enrolment": self._enrolment,
            "discontinuation": self._discontinuation,
            "administration": self._administration,
            "ae": self._adverse_event,
            "adjudication": self._adjudication,
            "visit": self._visit,
            "lab": self._result,
            "response": self._response,
        }
        self._begin(subject, self.judging.versions[0])

    def _begin(self, subject: str, version: TrialProtocol) -> None:
        """Facts of which nothing is known yet, under a version of the protocol."""
        self.facts = SubjectFacts(version, subject, version.zone, self.known_at)
        self._observed = LatestInstant()
        self._analytes: dict[str, int] = {}
        self.facts.analytes = self._analytes
        self._deadly: set[str] = set()
        self._weighty: set[str] = set()
        self.facts.deadly, self.facts.weighty = self._deadly, self._weighty
        self._snapshots: dict[Instant, SubjectFacts] = {}
        self._spans: dict[PartialDate, Span] = {}
        self._ctcae = version.ctcae_version

    def fold(self, event: AnyEvent, time: Instant, received: Instant | None = None) -> frozenset[str] | set[str]:
        """Take in one event recorded at ``time`` and name the cases that may be judged differently now."""
        reached = time if received is None or time < received else received
        if reached > self.high_water:
            self.high_water = reached
        kind = event.record_kind
        if kind not in self._change or not isinstance(event, SubjectEvent):
            return _NOTHING
        stamp = time if received is None else received
        version = RecordVersion(
            event.data.revision, time, event.id, event.source, event.retracts, kept(event, self._ctcae), stamp
        )
        touched = self._fold((kind, event.record_id), version)
        for other in self.others:
            touched = touched | other.fold(event, time, received)
        return touched if self._is_fixed or kind not in _DATING_KINDS else touched | self._choose()

    def _fold(self, key: RecordKey, version: RecordVersion) -> frozenset[str] | set[str]:
        change = self._change[key[0]]
        history = self.records.get(key)
        if history is None:
            # Nearly every event is the first of its record.
            self.records[key] = (version,)
            touched = _NOTHING if version.retracts else change(key[1], None, version)
        else:
            now = with_version(history, version)
            if now is history:
                return _NOTHING
            self.records[key] = now
            before, after = effective(history), effective(now)
            touched = change(key[1], before, after) if after is not before else _NOTHING
        if self._snapshots and key[0] in _SNAPSHOT_KINDS:
            touched = touched | self._reopen_overrules(version.time)
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
            then = SubjectChart(self.protocol, self.facts.subject, self.facts.protocol)
            for key, history in self.records.items():
                if key[0] in _SNAPSHOT_KINDS:
                    for version in history:
                        if version.time <= instant:
                            then._fold(key, version)
            judging = then._judged_by()
            if self.facts.protocol.version not in judging.names:
                # Who overruled the case then did so under the version that the subject was treated under then.
                then = then._under(judging.versions[0])
            facts = self._snapshots[instant] = then.facts
        return facts

    def all_cases(self) -> Touched:
        """Every name that a case of this subject may have now."""
        return set(case_names(self.facts)).union(*(other.all_cases() for other in self.others))

    @property
    def judged_facts(self) -> list[SubjectFacts]:
        """The facts as each version that judges reads the records, oldest first."""
        return [self.facts, *(other.facts for other in self.others)]

    def _judged_by(self) -> Judging:
        enrolment = self.facts.enrolment
        event = enrolment.event if enrolment is not None else None
        enrolled = self.facts.span(event.data.enrolled) if event is not None else None
        treatment = self.facts.treatment
        if event is None and any(set(one.drugs) != set(self.protocol.drugs) for one in self.protocol.earlier):
            # Whatever counts as treatment under some version.
            treatment = treatment_start(self._administrations(), self.facts.zone)
        return judged_by(self.protocol, event, enrolled, day_1_span(treatment, self.facts.zone))

    def _choose(self) -> Touched | frozenset[str]:
        """Judge by the versions that the dates now name. Where they are others, every case may be judged differently."""
        judging = self._judged_by()
        before, self.judging = self.judging, judging
        if judging.names == before.names:
            return self.all_cases() if judging.question != before.question else _NOTHING
        touched = self.all_cases()
        first = judging.versions[0]
        if first is not self.facts.protocol:
            self._begin(self.facts.subject, first)
            self._lay_out()
        self.others = tuple(self._under(version) for version in judging.versions[1:])
        return touched | self.all_cases()

    def _under(self, version: TrialProtocol) -> SubjectChart:
        """The same records under one version of the protocol."""
        chart = SubjectChart(self.protocol, self.facts.subject, version)
        chart.records, chart.high_water = dict(self.records), self.high_water
        chart._lay_out()
        return chart

    def _lay_out(self) -> None:
        """Take in every record anew, under another version of the protocol."""
        for key, history in list(self.records.items()):
            if key[0] == "lab":
                history = self.records[key] = tuple(regraded(version, self._ctcae) for version in history)
            version = effective(history)
            if version is not None:
                self._change[key[0]](key[1], None, version)

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

    def _enrolment(self, _record: str, _before: RecordVersion | None, after: RecordVersion | None) -> Touched:
        facts = self.facts
        facts.enrolment = None if after is None else Known(after.event, after.time)
        zone_name = after.event.data.time_zone if after is not None else None
        zone = zone_named(zone_name) if zone_name else facts.protocol.zone
        if zone is not facts.zone:
            facts.zone = zone
            facts.treatment = self._treatment()
            self._observe_anew()
            self._lay_out_results()
        return self.all_cases()

    def _discontinuation(self, scope: str, _before: RecordVersion | None, after: RecordVersion | None) -> Touched:
        touched = self.all_cases()
        if after is None or after.event.data.retracted:
            self.facts.discontinuations.pop(scope, None)
        else:
            self.facts.discontinuations[scope] = Known(after.event, after.time)
        return touched | self.all_cases()

    def _administration(self, _record: str, before: RecordVersion | None, after: RecordVersion | None) -> Touched:
        self._observe(administered(before), administered(after))
        if not (self._may_move_treatment(before) or self._may_move_treatment(after)):
            return set()
        treatment = self._treatment()
        if treatment == self.facts.treatment:
            return set()
        self.facts.treatment = treatment
        self.facts.laboratory.treatment_changed()
        return self.all_cases()

    def _may_move_treatment(self, version: RecordVersion | None) -> bool:
        if version is None or not is_administration(version.event):
            return False
        if version.event.data.drug not in self.facts.protocol.drugs:
            return False
        known = self.facts.treatment
        if known is None:
            return True
        lo = self.facts.span(version.event.data.given).lo
        return lo <= max(known.latest_first, known.by_drug.get(version.event.data.drug, lo))

    def _treatment(self) -> TreatmentStart | None:
        drugs = self.facts.protocol.drugs
        return treatment_start((one for one in self._administrations() if one.data.drug in drugs), self.facts.zone)

    def _administrations(self) -> Iterator[TreatmentAdministered]:
        return (version.event for kind, version in self._effective() if kind == "administration")

    def _effective(self) -> Iterator[tuple[str, RecordVersion]]:
        for (kind, _), history in self.records.items():
            version = effective(history)
            if version is not None:
                yield kind, version

    def _adverse_event(self, ae_id: str, before: RecordVersion | None, after: RecordVersion | None) -> Touched:
        facts = self.facts
        touched = {ae_id} | coupled_cases(facts, ae_id)
        deadly = ae_id in self._deadly
        explained = self._explained(touched)
        if before is not None:
            self._unindex(ae_id, before.event)
            del facts.adverse_events[ae_id]
        if after is not None:
            facts.adverse_events[ae_id] = Known(after.event, after.time)
            self._index(ae_id, after.event)
        touched |= coupled_cases(facts, ae_id)
        explained |= self._explained(touched)
        named = {f"{AE}{row}" for row in touched} | self._stops() | explained
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
        for analyte in explained_analytes(event):
            self.facts.explaining.setdefault(analyte, set()).add(ae_id)
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
            *((self.facts.explaining, analyte) for analyte in explained_analytes(event)),
        ):
            if key in index:
                index[key].discard(ae_id)
                if not index[key]:
                    del index[key]

    def _adjudication(self, adjudication_id: str, before: RecordVersion | None, after: RecordVersion | None) -> Touched:
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

    def _visit(self, _record: str, before: RecordVersion | None, after: RecordVersion | None) -> Touched:
        self._observe(
            before.event.date if before is not None else None, after.event.date if after is not None else None
        )
        return set()

    def _result(
        self, lab_id: str, before: RecordVersion | None, after: RecordVersion | None
    ) -> Touched | frozenset[str]:
        """A result touches its own analyte, those that are judged together with it, and no other."""
        touched: frozenset[str] = _NOTHING
        for version, step in ((before, -1), (after, 1)):
            if version is None:
                continue
            result: LabResult = version.event
            kind = result.kind
            draw = self._draw(lab_id, version, result)
            if result.measured:
                self._analytes[kind.test] = self._analytes.get(kind.test, 0) + step
                (self._observed.add if step > 0 else self._observed.remove)(draw.span.lo)
            if kind.listed:
                (self.facts.laboratory.put if step > 0 else self.facts.laboratory.drop)(draw)
            touched = touched | kind.touches if touched else kind.touches
        return touched

    def _response(self, _record: str, _before: RecordVersion | None, _after: RecordVersion | None) -> frozenset[str]:
        """No case rests on a response; its versions are kept so that a contradiction between them is asked about."""
        return _NOTHING

    def _draw(self, lab_id: str, version: RecordVersion, result: LabResult) -> Draw:
        span = self._spans.get(result.collected)
        if span is None:
            span = self._spans[result.collected] = self.facts.zone.resolve(result.collected)
        return Draw(lab_id, span, result, version.source, version.id, version.time)

    def _lay_out_results(self) -> None:
        """Place every result anew, in another time zone."""
        self._spans.clear()
        self.facts.laboratory.clear()
        for (kind, lab_id), history in self.records.items():
            version = effective(history) if kind == "lab" else None
            if version is not None and version.event.kind.listed:
                self.facts.laboratory.put(self._draw(lab_id, version, version.event))

    def _explained(self, cases: Iterable[str]) -> Touched:
        """The laboratory cases that the adverse events of these cases may account for."""
        known = self.facts.adverse_events
        events = (known[row].event for case in cases if case in known for row in joined_rows(self.facts, case))
        return {LAB + analyte.partition(":")[0] for event in events for analyte in explained_analytes(event)}

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
            date = date_of(kind, version)
            if date is not None:
                self._observed.add(self._first_instant(date))

    def _first_instant(self, date: PartialDate) -> Instant:
        return date.first if date.precision == "instant" else self.facts.zone.to_instant(date.first)
