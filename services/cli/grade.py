"""``toxwatch grade``: CTCAE grades of a table of results, without a study, events or a log around it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TextIO

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer

from services.files.rows import ImportFailedError
from services.grading.columns import Odd, TableError, named, read
from services.grading.tables import BadRow, read_table
from services.grading.vectors import COLUMNS, graded
from services.platform.csv_cells import CsvWriter
from services.platform.private_files import open_private_text

#: How many rows are held at a time: a table of any length is graded in the memory of a few.
ROWS_AT_A_TIME: Final = 200_000

#: How many odd cells are told one by one; the table itself says it of every row.
ODD_TOLD: Final = 20

LOW_MAX: Final = COLUMNS.index("grade_low_max")
HIGH_MAX: Final = COLUMNS.index("grade_high_max")
WHY: Final = COLUMNS.index("why")


class TableVersion(StrEnum):
    """The versions of CTCAE whose tables there are."""

    V4 = "4.03"
    V5 = "5.0"


def grade(
    table: Annotated[
        str, typer.Argument(metavar="FILE.csv", help="Results with a header line (CSV, also .gz); - is standard input.")
    ],
    ctcae: Annotated[TableVersion, typer.Option("--ctcae", help="The version of CTCAE to grade by.")] = TableVersion.V4,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where the grades go; - is standard output.")] = "-",
    reasons: Annotated[
        bool, typer.Option("--why", help="Say why every grade is what it is, not only the open ones.")
    ] = False,
) -> None:
    """Grade a plain table of laboratory results.

    Columns: test and value; and where there are any unit, lln, uln, comparator, fasting, specimen, status, loinc, baseline,
    baseline_uln, albumin, albumin_unit. The names of SDTM and ADaM are understood as well. Every column is kept, and the
    grades, their bounds and the reason why there are no more than bounds are written behind it. A cell that cannot be read
    is taken as not given in its row alone: the row says so, and so does a message.
    """
    try:
        rows, without, odd = grade_file(table, out, ctcae.value, reasons=reasons)
    except (TableError, ImportFailedError, OSError) as error:
        typer.echo(f"toxwatch: {table}: {error}", err=True)
        raise typer.Exit(1) from None
    for told in odd.told:
        typer.echo(f"toxwatch: {table}: {told}", err=True)
    if odd.cells > len(odd.told):
        typer.echo(f"toxwatch: {table}: and {odd.cells - len(odd.told)} more cells that cannot be read", err=True)
    typer.echo(f"{rows} results by CTCAE {ctcae.value}, {without} of them without any grade", err=True)


@dataclass
class OddCells:
    """The cells that could not be read: how many, and the first of them as sentences."""

    cells: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, odd: list[Odd], lines: list[int]) -> None:
        """Count those of one piece of the table; ``lines`` says in which line of the file each of its rows is."""
        for cell in odd:
            self.cells += len(cell.rows)
            for row in cell.rows[: ODD_TOLD - len(self.told)]:
                self.told.append(f"line {lines[int(row)]}: {cell.sentence}")

    def add_row(self, bad: BadRow) -> None:
        """Count a line that is no row of the table."""
        self.cells += 1
        if len(self.told) < ODD_TOLD:
            self.told.append(f"line {bad.line}: {bad.why}")


def grade_file(table: str, out: str, version: str, *, reasons: bool) -> tuple[int, int, OddCells]:
    """Grade a table into another; how many results there were, how many have no grade, and which cells were odd."""
    if out == "-":
        return _grade(table, sys.stdout, version, reasons)
    with open_private_text(Path(out)) as file:
        return _grade(table, file, version, reasons)


def _grade(table: str, out: TextIO, version: str, reasons: bool) -> tuple[int, int, OddCells]:
    rows = without = 0
    odd = OddCells()
    write = CsvWriter(out)
    header, pieces = read_table(table, ROWS_AT_A_TIME)
    taken = sorted(set(COLUMNS) & set(header))
    if taken:
        raise TableError(f"column {taken[0]!r} is what grades are written to: rename it")
    named(header)
    write.writerow([*header, *COLUMNS])
    for piece in pieces:
        grades, cells = _graded(version, header, piece.rows, reasons)
        odd.add(cells, piece.lines)
        bad = {each.at: each for each in piece.bad}
        for at, each in bad.items():
            odd.add_row(each)
            for column in grades[:WHY]:
                column[at] = ""
            grades[WHY][at] = each.why
        write.writerows(zip(*zip(*piece.rows, strict=True), *grades, strict=True))
        rows += len(piece.rows)
        without += int(((grades[LOW_MAX] == "") & (grades[HIGH_MAX] == "")).sum())
    return rows, without, odd


def _graded(
    version: str, header: list[str], rows: list[list[str]], reasons: bool
) -> tuple[list[npt.NDArray[np.object_]], list[Odd]]:
    """The grades of some rows, each with what was odd about it."""
    columns, cells = read(pd.DataFrame(rows, columns=header, dtype=object))
    grades = graded(version, columns, reasons=reasons)
    for cell in cells:
        why = grades[WHY][cell.rows]
        grades[WHY][cell.rows] = [f"{cell.sentence} | {each}" if each else cell.sentence for each in why]
    return grades, cells
