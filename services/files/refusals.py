"""Telling the caller what was refused, and in the exit code that something was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import typer

from services.files.intake import FileIntake
from services.platform.printable import printable

DONE: Final = 0
SOME_INPUT_REFUSED: Final = 2


def report_refusals(intake: FileIntake) -> int:
    """Write each refused line to standard error and give the exit code."""
    for refusal in intake.refused:
        urgent = "URGENT " if refusal.urgent else ""
        named = f" (id {refusal.id})" if refusal.id is not None else ""
        typer.echo(printable(f"{refusal.file}:{refusal.line}: {urgent}refused{named}: {refusal.error}"), err=True)
    return SOME_INPUT_REFUSED if intake.refused else DONE


def report_failures(failed: Mapping[str, Exception]) -> int:
    """Name each subject that could not be judged on standard error, and give the exit code."""
    for subject, error in sorted(failed.items()):
        what = f"{subject} was not judged ({type(error).__name__}), which is a fault of Toxwatch: judge this subject by hand"
        typer.echo(printable(f"URGENT {what}"), err=True)
    return SOME_INPUT_REFUSED if failed else DONE
