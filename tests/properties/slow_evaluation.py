"""A slow evaluation from scratch: from the bare set of events known, by plain loops, with nothing kept between events.

It shares the rules with the folds, and no index, cache or bookkeeping: what changes event by event there is found again here
by looking at every event. The two must agree after every single event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from events.codec import Logged
from events.dates import DAY, Instant, parse_date, zone_named
from projections.ctcae.analytes import analyte
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.cases.accounting import explained_analytes
from projections.rules.cases.assess import evaluate_case, may_reach_a_clause
from projections.rules.cases.finding import Finding, finding_at
from projections.rules.cases.stopping import could_explain_a_stop
from projections.rules.facts.analytes import canonical_case
from projections.rules.facts.grade_course import is_fatal
from projections.rules.facts.lab_results import Draw, LabResult, lab_kind
from projections.rules.facts.linked_rows import term_key
from projections.rules.facts.subject_facts import Known, SubjectFacts
from projections.rules.facts.treatment import treatment_start

Json = dict[str, Any]


def subject_of(logged: Logged) -> str:
    """The subject of an event; every event of the timelines has one."""
    subject: str = getattr(logged.event, "subject", None) or ""
    return subject


def high_water(known: Iterable[Logged]) -> Instant:
    """The greatest time among the events, those of the clock included."""
    return max(logged.time for logged in known)


def slow_findings(known: Sequence[Logged], instant: Instant) -> dict[str, Finding]:
    """What stands about one subject at an instant, by case, from every event that is known of it."""
    facts = slow_facts(known)
    found: dict[str, Finding] = {}
    for name in possible_cases(known):
        evaluation = evaluate_case(facts, name)
        finding = finding_at(evaluation, instant) if evaluation is not None else None
        if finding is not None:
            found[name] = finding
    return found


def differences(found: Mapping[str, Finding], expected: Mapping[str, Finding]) -> list[str]:
    """What two sets of findings say otherwise, field by field; empty when they are the same in everything."""
    lines = [f"{case} is found, and should not be" for case in sorted(found.keys() - expected.keys())]
    lines += [f"{case} is missing" for case in sorted(expected.keys() - found.keys())]
    for case in sorted(found.keys() & expected.keys()):
        for name in (field.name for field in fields(Finding)):
            value, right = getattr(found[case], name), getattr(expected[case], name)
            if value != right:
                lines.append(f"{case} {name}: {value!r}, expected {right!r}")
    return lines


def possible_cases(known: Sequence[Logged]) -> list[str]:
    """Every name that a case may have: whatever was ever reported or ruled on, retracted or not, and every stop."""
    names = {"discontinued:death", "discontinued:adverse-event"}
    for logged in known:
        if logged.event.record_kind == "ae":
            names.add(f"ae:{logged.event.record_id}")
        if logged.event.type == "toxwatch.dlt.adjudicated.v1":
            names.add(canonical_case(logged.event.data.case))
        if logged.event.type == "toxwatch.lab.resulted.v1":
            names |= {f"lab:{analyte(logged.event.data.test)}", "lab:HY"}
    return sorted(names)


def slow_facts(known: Sequence[Logged]) -> SubjectFacts:
    """The effective records of one subject, with every index found by looking at all of them."""

    def known_at(instant: Instant) -> SubjectFacts:
        return slow_facts([logged for logged in known if logged.time <= instant])

    enrolment = [Known(*version[:2]) for version in effective(known, "enrolment")]
    zone_name = enrolment[0].event.data.time_zone if enrolment else None
    zone = zone_named(zone_name) if zone_name else PROTOCOL.zone
    facts = SubjectFacts(PROTOCOL, subject_of(known[0]) if known else "", zone, known_at)
    facts.enrolment = enrolment[0] if enrolment else None
    facts.treatment = treatment_start([event for event, _, _ in effective(known, "administration")], facts.zone)
    for event, time, _ in effective(known, "discontinuation"):
        if not event.data.retracted:
            facts.discontinuations[event.data.scope] = Known(event, time)
    for event, time, _ in effective(known, "adjudication"):
        named = facts.adjudications.setdefault(canonical_case(event.data.case), {})
        named[event.data.adjudication_id] = Known(event, time)
    rows = {event.data.ae_id: Known(event, time) for event, time, _ in effective(known, "ae")}
    facts.adverse_events = rows
    for ae_id, (event, _) in rows.items():
        if event.data.continues:
            facts.continued_by.setdefault(event.data.continues, set()).add(ae_id)
        for analyte_explained in explained_analytes(event):
            facts.explaining.setdefault(analyte_explained, set()).add(ae_id)
        if may_reach_a_clause(PROTOCOL, event):
            facts.same_term.setdefault(term_key(event.data.preferred_term, event.data.term), set()).add(ae_id)
    facts.deadly = {ae_id for ae_id, (event, _) in rows.items() if is_fatal(event)}
    facts.weighty = {ae_id for ae_id, (event, _) in rows.items() if could_explain_a_stop(event)}
    tested = [analyte(event.data.test) for event, _, _ in effective(known, "lab") if event.data.status != "not-done"]
    facts.analytes = {test: tested.count(test) for test in tested}
    _put_results(facts, known)
    return facts


def _put_results(facts: SubjectFacts, known: Sequence[Logged]) -> None:
    for event, time, _ in effective(known, "lab"):
        result = _result(event)
        if result.kind.listed:
            span = facts.zone.resolve(result.collected)
            facts.laboratory.put(Draw(event.data.lab_id, span, result, event.source, event.id, time))


def _result(event: Any) -> LabResult:
    data = event.data
    said = (data.lln, data.uln, data.comparator, data.fasting, data.specimen, data.status, data.loinc)
    kind = lab_kind(PROTOCOL.ctcae_version, data.test, data.unit, *said)
    return LabResult(parse_date(data.collected), kind, data.value, data.timepoint)


def effective(known: Iterable[Logged], kind: str) -> list[Any]:
    """The version in effect of every record of a kind: the highest revision, then time, then id; retracted ones left out."""
    of_kind: list[Any] = [logged for logged in known if logged.event.record_kind == kind]
    found = []
    for record_id in sorted({logged.event.record_id for logged in of_kind}):
        versions = [logged for logged in of_kind if logged.event.record_id == record_id]
        latest = max(versions, key=lambda logged: (logged.event.data.revision, logged.time, logged.event.id))
        if not latest.event.retracts:
            found.append(latest)
    return found


def slow_cohorts(known: Iterable[Logged]) -> list[Json]:
    """The ``cohorts`` of ``assess``'s JSON, each subject judged at its own high water: rules.md §5, counted by hand."""
    by_subject: dict[str, list[Logged]] = {}
    for logged in known:
        by_subject.setdefault(subject_of(logged), []).append(logged)
    standings = {subject: slow_standing(events) for subject, events in sorted(by_subject.items())}
    counted = {subject: standing for subject, standing in standings.items() if standing is not None}
    levels = {level for level, _, _ in counted.values()}
    rows = []
    for level in sorted(levels, key=lambda level: (level is None, level or 0)):
        here = {subject: (words, why) for subject, (at, words, why) in counted.items() if at == level}
        rows.append(_cohort(level, here))
    return rows


def _cohort(level: int | None, here: dict[str, tuple[str, str | None]]) -> Json:
    words = [word for word, _ in here.values()]
    dlts, pending = words.count("dlt"), words.count("pending")
    evaluable = dlts + words.count("evaluable")
    return {
        "part": "A",
        "dose_level": level,
        "treated": len(here),
        "evaluable": evaluable,
        "pending": pending,
        "replaceable": words.count("replaceable"),
        "dlts": dlts,
        "hold": dlts >= 2,
        "decision": three_plus_three(evaluable, dlts, pending) if level else None,
        "best_case": three_plus_three(evaluable + pending, dlts, 0) if level else None,
        "worst_case": three_plus_three(evaluable + pending, dlts + pending, 0) if level else None,
        "pending_reasons": {subject: why for subject, (word, why) in here.items() if word == "pending"},
    }


def three_plus_three(evaluable: int, dlts: int, pending: int) -> str:
    """rules.md §5, the default design, read from the page."""
    if dlts >= 2:
        return "stop"
    if pending or evaluable < 3:
        return "pending"
    if dlts == 0 or evaluable >= 6:
        return "escalate"
    return "expand"


def slow_standing(known: Sequence[Logged]) -> tuple[int | None, str, str | None] | None:
    """One subject's dose level, how it counts there, and why it is pending; None: in no cohort."""
    facts = slow_facts(known)
    start = facts.treatment
    if start is None or facts.part == "B":
        return None
    findings = slow_findings(known, high_water(known)).values()
    if any(finding.counts_as_dlt for finding in findings):
        return facts.dose_level, "dlt", None
    still_open = [
        f"{finding.case} is open: {', '.join(f'{clause} {word}' for clause, word in finding.clauses.items())}"
        for finding in findings
        if not finding.overruled and {"possible", "watch"} & {finding.clauses.get(f"DLT-{n}") for n in range(1, 6)}
    ]
    seen = [facts.zone.resolve(parse_date(text)) for text in _observed(known)]
    observed = any(span.wall_lo >= start.day1_hi + 35 * DAY for span in seen)
    if observed and not still_open:
        return facts.dose_level, "evaluable", None
    left = facts.discontinuations.get("study")
    if left and not still_open and facts.span(left.event.data.date).wall_hi < start.day1_lo + 35 * DAY:
        return facts.dose_level, "replaceable", None
    if still_open:
        return facts.dose_level, "pending", "; ".join(still_open)
    days = (max(span.wall_lo for span in seen) - start.day1_lo) // DAY
    return facts.dose_level, "pending", f"no data since day {days + 1 if days >= 0 else days}"


def _observed(known: Sequence[Logged]) -> list[str]:
    """The date of every observation in effect: visits not missed, results done, administrations."""
    visits = [event.data.date for event, _, _ in effective(known, "visit") if event.data.status != "missed"]
    results = [event.data.collected for event, _, _ in effective(known, "lab") if event.data.status != "not-done"]
    doses = [event.data.given for event, _, _ in effective(known, "administration") if event.data.status != "not-given"]
    return [*visits, *results, *doses]
