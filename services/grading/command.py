"""``toxwatch grade``: CTCAE grades of a table of results, without a study, events or a log around it."""

from __future__ import annotations

import csv
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TextIO

import pandas as pd
import typer

from services.grading.columns import TableError, read
from services.grading.vectors import COLUMNS, graded

#: How many rows are held at a time: a table of any length is graded in the memory of a few.
ROWS_AT_A_TIME: Final = 200_000

LOW_MAX: Final = COLUMNS.index("grade_low_max")
HIGH_MAX: Final = COLUMNS.index("grade_high_max")


class Version(StrEnum):
    """The versions of CTCAE whose tables there are."""

    V4 = "4.03"
    V5 = "5.0"


def grade(
    table: Annotated[
        str, typer.Argument(metavar="FILE.csv", help="Results with a header line (CSV, also .gz); - is standard input.")
    ],
    ctcae: Annotated[Version, typer.Option("--ctcae", help="The version of CTCAE to grade by.")] = Version.V4,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where the grades go; - is standard output.")] = "-",
    reasons: Annotated[
        bool, typer.Option("--why", help="Say why every grade is what it is, not only the open ones.")
    ] = False,
) -> None:
    """Grade a plain table of laboratory results.

    Columns: test and value; and where there are any unit, lln, uln, comparator, fasting, specimen, status, loinc, baseline,
    baseline_uln, albumin, albumin_unit. The names of SDTM and ADaM are understood as well. Every column is kept, and the
    grades, their bounds and the reason why there are no more than bounds are written behind it.
    """
    try:
        rows, without = grade_file(table, out, ctcae.value, reasons=reasons)
    except (TableError, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        typer.echo(f"toxwatch: {table}: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{rows} results by CTCAE {ctcae.value}, {without} of them without any grade", err=True)


def grade_file(table: str, out: str, version: str, *, reasons: bool) -> tuple[int, int]:
    """Grade a table into another; how many results there were, and how many have no grade."""
    if out == "-":
        return _grade(table, sys.stdout, version, reasons)
    with Path(out).open("w", encoding="utf-8", newline="") as file:
        return _grade(table, file, version, reasons)


def _grade(table: str, out: TextIO, version: str, reasons: bool) -> tuple[int, int]:
    rows = without = 0
    write = csv.writer(out, lineterminator="\n")
    chunks = pd.read_csv(
        sys.stdin.buffer if table == "-" else table,
        dtype=str,
        keep_default_na=False,
        chunksize=ROWS_AT_A_TIME,
        encoding="utf-8-sig",
    )
    with chunks:
        for chunk in chunks:
            taken = sorted(set(COLUMNS) & set(chunk.columns))
            if taken:
                raise TableError(f"column {taken[0]!r} is what grades are written to: rename it")
            grades = graded(version, read(chunk, rows + 2), reasons=reasons)
            if not rows:
                write.writerow([*chunk.columns, *COLUMNS])
            write.writerows(zip(*(chunk[column] for column in chunk.columns), *grades, strict=True))
            rows += len(chunk)
            without += int(((grades[LOW_MAX] == "") & (grades[HIGH_MAX] == "")).sum())
    return rows, without
