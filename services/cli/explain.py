"""``toxwatch explain``: the proof of one case, from the evaluation itself."""

from __future__ import annotations

from typing import Annotated

import typer

from events.codec import Logged
from events.envelope import SubjectEvent
from projections.folds.case_history import case_history
from projections.folds.subject_chart import SubjectChart
from projections.rules.cases.assess import AE, evaluate_case
from projections.rules.cases.judged_case import judged
from projections.rules.facts.linked_rows import first_row
from services.files.event_files import EventFiles
from services.files.explanation import explanation, show_explanation
from services.files.intake import FileIntake
from services.files.log_reading import known_at
from services.files.refusals import report_refusals
from services.terminal.options import (
    AsOf,
    AsOfAxis,
    Axis,
    EventPaths,
    Format,
    OutputFormat,
    ProtocolName,
    instant_of,
    judging_protocol,
)
from services.terminal.progress import bytes_read
from services.terminal.tables import console_for_output
from services.terminal.writing import write_json


def explain(
    context: typer.Context,
    events: EventPaths,
    subject: Annotated[str, typer.Option("--subject", help="The subject's id.")],
    case: Annotated[str, typer.Option("--case", help="The case, such as ae:AE-1.")],
    as_of: AsOf = None,
    as_of_axis: AsOfAxis = Axis.RECORDED,
    protocol: ProtocolName = "isi-jx",
    format: OutputFormat = Format.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Show why a case has its verdict: clause by clause, each predicate's answer, reason and events.

    Also what was exempted, what would settle what is unknown, and how the verdict changed over time.
    """
    judged_under, instant = judging_protocol(context, protocol), instant_of(as_of)
    with EventFiles(events) as files:
        intake = FileIntake(judged_under, files)
        with bytes_read("reading events", files.bytes_total) as advance:
            known = [
                logged for logged in known_at(intake.events(advance), instant, as_of_axis) if _is_about(logged, subject)
            ]
    chart = SubjectChart(judged_under, subject)
    for logged in known:
        chart.fold(logged.event, logged.time)
    each = [evaluate_case(facts, case, whole=True) for facts in chart.judged_facts]
    judged_case = judged(each, chart.judging.question)
    if judged_case is None:
        report_refusals(intake)
        typer.echo(f"toxwatch: {_no_such_case(chart, subject, case)}", err=True)
        raise typer.Exit(1)
    by_receipt = as_of_axis is Axis.RECEIVED
    history = case_history(
        judged_under,
        subject,
        [(logged.received if by_receipt else logged.time, logged) for logged in known],
        case,
        instant,
    )
    told = explanation(judged_under, subject, judged_case, history, instant)
    if format is Format.JSON:
        write_json(told)
    else:
        show_explanation(console_for_output(), told)
    raise typer.Exit(report_refusals(intake))


def _is_about(logged: Logged, subject: str) -> bool:
    return isinstance(logged.event, SubjectEvent) and logged.event.subject == subject


def _no_such_case(chart: SubjectChart, subject: str, case: str) -> str:
    ae_id = case.removeprefix(AE)
    if case.startswith(AE) and ae_id in chart.facts.adverse_events:
        return f"{case} of {subject} is a later row of {AE}{first_row(chart.facts, ae_id)}: explain that case"
    known = ", ".join(sorted(chart.all_cases())) or "none"
    return f"{subject} has no case {case} then; on record: {known}"
