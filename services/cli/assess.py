"""``toxwatch assess``: the log in, the verdicts out."""

from __future__ import annotations

from typing import Annotated

import typer

from projections.folds.lab_grades import LabGrades
from services.files.log_reading import read_log
from services.files.refusals import report_failures, report_refusals
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
from services.terminal.tables import console_for_output, show_assessment
from services.terminal.writing import write_json


def assess(
    context: typer.Context,
    events: EventPaths,
    as_of: AsOf = None,
    as_of_axis: AsOfAxis = Axis.RECORDED,
    protocol: ProtocolName = "isi-jx",
    lab_grades: Annotated[
        LabGrades,
        typer.Option("--lab-grades", help="List no laboratory grades, those not certainly normal, or all."),
    ] = LabGrades.ABNORMAL,
    format: OutputFormat = Format.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Judge every case at an instant: verdicts, cohort board, open questions.

    Exits with 2 if any line was refused; all the rest is judged all the same.
    """
    reading = read_log(events, judging_protocol(context, protocol), instant_of(as_of), as_of_axis)
    result = reading.as_json(lab_grades)
    if format is Format.JSON:
        write_json(result)
    else:
        show_assessment(console_for_output(), result)
    raise typer.Exit(max(report_failures(reading.trial.failed), report_refusals(reading.intake)))
