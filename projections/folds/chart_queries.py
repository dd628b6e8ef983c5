"""Questions to the data manager that a chart raises by itself: contradictions, and versions that had to be ignored.

What an open verdict asks stands in its case; here is what no case asks (rules.md §3.4, §3.9, §6).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from events.acceptance import STUDY_TREATMENT
from events.adverse_event import AdverseEventReported
from projections.folds.lab_queries import lab_questions
from projections.folds.record_history import conflicting_revisions, effective, ignored_retractions, superseded_reports
from projections.folds.subject_chart import SubjectChart
from projections.rules.cases.assess import AE, stray_rulings
from projections.rules.facts.causality import RELATED, UNRELATED
from projections.rules.facts.grade_course import OVER, given_grade, is_fatal
from projections.rules.facts.lab_results import LAB
from projections.rules.facts.linked_rows import in_circle
from projections.rules.facts.treatment import is_administration


class DataQuery(NamedTuple):
    """One open question about one record."""

    record: str
    question: str


def chart_queries(chart: SubjectChart) -> Iterator[DataQuery]:
    """Every query of one subject, by record."""
    yield from _protocol_queries(chart)
    yield from _version_queries(chart)
    for ae_id, known in sorted(chart.facts.adverse_events.items()):
        for question in _row_questions(chart, known.event):
            yield DataQuery(f"{AE}{ae_id}", question)
    for lab_id, question in lab_questions(chart):
        yield DataQuery(f"{LAB}{lab_id}", question)
    for adjudication_id, question in stray_rulings(chart.facts):
        yield DataQuery(f"adjudication:{adjudication_id}", question)


def _protocol_queries(chart: SubjectChart) -> Iterator[DataQuery]:
    """What has to be asked to know by which version of the protocol the subject is judged (rules.md §7)."""
    judging = chart.judging
    for question in (judging.query, judging.question):
        if question is not None:
            yield DataQuery("enrolment", question)
    if len(judging.versions) > 1:
        return
    foreign = chart.protocol.contract.drugs - set(judging.versions[0].drugs)
    for (kind, record_id), history in sorted(chart.records.items()) if foreign else ():
        version = effective(history) if kind == "administration" else None
        if version is not None and version.event.data.drug in foreign and is_administration(version.event):
            yield DataQuery(
                f"administration:{record_id}",
                f"{version.event.data.drug} is not a drug of version {judging.names[0]} of the protocol, by which the subject "
                "is judged: which version is the subject treated under?",
            )


def _version_queries(chart: SubjectChart) -> Iterator[DataQuery]:
    for (kind, record_id), history in sorted(chart.records.items()):
        if len(history) == 1:
            continue
        record = f"{kind}:{record_id}" if record_id else kind
        for revision in conflicting_revisions(history):
            yield DataQuery(record, f"Revision {revision} came with different contents: which one is right?")
        for version in superseded_reports(history):
            yield DataQuery(
                record,
                f"Revision {version.revision} came after revision {history[-1].revision}, and is not used: which one is "
                "right? Send what holds under a higher revision.",
            )
        for version in ignored_retractions(history):
            yield DataQuery(
                record, f"A retraction of revision {version.revision} is older than the record: is the record in error?"
            )


def _row_questions(chart: SubjectChart, event: AdverseEventReported) -> Iterator[str]:
    data = event.data
    if data.continues:
        if data.continues not in chart.facts.adverse_events:
            yield f"It continues {data.continues}, which is not on record or was retracted: which row does it continue?"
        elif in_circle(chart.facts, data.ae_id):
            yield f"It continues {data.continues}, which leads back to it: which row came first?"
    worst_step = max((step.grade for step in data.grades or ()), default=None)
    if worst_step is not None and data.grade is not None and data.grade > worst_step:
        yield f"Grade {data.grade} is above every dated step (at most {worst_step}): when was it reached?"
    given = given_grade(event)
    if is_fatal(event) and given is not None and given < 5:
        yield f"It was fatal, yet graded {given}: fatal is grade 5."
    if data.ongoing and data.outcome in OVER:
        yield f"It is ongoing, yet its outcome is {data.outcome}: is it over, and since when?"
    investigator = (data.causality.investigator if data.causality else None) or {}
    own = {investigator.get(drug) for drug in chart.facts.protocol.drugs}
    if investigator.get(STUDY_TREATMENT) in RELATED and own <= UNRELATED:
        yield "Related to the study treatment, yet to none of its drugs: which answer is right?"
