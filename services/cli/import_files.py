"""``toxwatch import``: the command line over :mod:`services.importers.run`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from services.files.rows import ImportFailedError
from services.importers.datasets import Kind
from services.importers.mapping import Mapping, MappingError, bundled_names, load_mapping
from services.importers.protocol_file import write_protocol
from services.importers.report import report_file
from services.importers.run import Summary, import_study
from services.platform.private_files import open_private

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
USAGE: Final = 64

import_app = typer.Typer(
    help="Turn the files of a study into events (NDJSON), with a report of whatever could not be mapped.",
    no_args_is_help=True,
)

_PathArgument = Annotated[Path, typer.Argument(help="A folder with the study's data sets or bundles, or one of them.")]
_MappingOption = Annotated[
    str | None,
    typer.Option("--mapping", metavar="FILE", help=f"A mapping file, or a bundled one: {', '.join(bundled_names())}."),
]
_OutOption = Annotated[str, typer.Option("--out", metavar="FILE", help="Where the events go; - is standard output.")]
_ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Where the report goes, as CSV or, by its name, .ndjson; by default import-report.csv beside the events.",
    ),
]
_ProtocolOption = Annotated[
    Path | None,
    typer.Option(
        "--protocol-out",
        metavar="FILE",
        help="Where the protocol's configuration goes, for assess --protocol; by default protocol.json beside the events.",
    ),
]


@import_app.command("dataset-json")
def import_dataset_json(
    path: _PathArgument,
    mapping: _MappingOption = None,
    out: _OutOption = "-",
    report: _ReportOption = None,
    protocol_out: _ProtocolOption = None,
) -> None:
    """Import CDISC Dataset-JSON 1.1 (.json, .ndjson): DM, EX, SV, AE, DS, LB."""
    raise typer.Exit(_run("dataset-json", path, mapping, out, report, protocol_out))


@import_app.command("sdtm")
def import_sdtm(
    path: _PathArgument,
    mapping: _MappingOption = None,
    out: _OutOption = "-",
    report: _ReportOption = None,
    protocol_out: _ProtocolOption = None,
) -> None:
    """Import SDTM as CSV (.csv, .csv.gz) or SAS transport files (.xpt): DM, EX, SV, AE, DS, LB."""
    raise typer.Exit(_run("sdtm", path, mapping, out, report, protocol_out))


@import_app.command("fhir")
def import_fhir(
    path: _PathArgument,
    mapping: _MappingOption = None,
    out: _OutOption = "-",
    report: _ReportOption = None,
    protocol_out: _ProtocolOption = None,
) -> None:
    """Import FHIR R4 Bundles (.json).

    ResearchSubject, MedicationAdministration, Encounter, AdverseEvent (with the extensions of the clinical research guide) and
    laboratory Observations. The mapping's columns do not matter; its drugs, arms, tests, units and code words do.
    """
    raise typer.Exit(_run("fhir", path, mapping, out, report, protocol_out))


def _run(kind: Kind, path: Path, mapping: str | None, out: str, report: Path | None, protocol: Path | None) -> int:
    console = Console(stderr=True)
    beside = Path() if out == "-" else Path(out).parent
    report = report or beside / "import-report.csv"
    protocol = protocol or beside / "protocol.json"
    if not path.exists():
        return _complain(console, f"{path}: no such file or folder", USAGE)
    try:
        study = load_mapping(mapping)
    except MappingError as error:
        return _complain(console, str(error), USAGE)
    try:
        summary = _import(kind, path, study, out, report, console)
        if summary.protocol is not None:
            write_protocol(protocol, summary.protocol)
    except (ImportFailedError, OSError) as error:
        return _complain(console, str(error), FAILED)
    _show(console, summary, report, protocol)
    return REFUSED if summary.refused.total() or summary.urgent else DONE


def _complain(console: Console, message: str, code: int) -> int:
    console.print(f"toxwatch import: {message}", markup=False, highlight=False, soft_wrap=True)
    return code


def _import(kind: Kind, path: Path, mapping: Mapping, out: str, report: Path, console: Console) -> Summary:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} rows"))
    with (
        report_file(report) as lines,
        _events_file(out) as events,
        Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bars,
    ):
        tasks: dict[str, int] = {}

        def progress(file: str, rows: int) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=None)
            bars.update(tasks[file], completed=rows)  # type: ignore[arg-type]

        return import_study(kind, path, mapping, events, lines, progress)


@contextmanager
def _events_file(name: str) -> Iterator[BinaryIO]:
    """Standard output, or a file that has its name only once it is complete."""
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    part = path.with_name(f"{path.name}.part")
    try:
        with open_private(part) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _show(console: Console, summary: Summary, report: Path, protocol: Path) -> None:
    table = Table("file", box=None)
    for name in ("rows", "events", "refused", "unmapped", "time estimated", "notes"):
        table.add_column(name, justify="right")
    counts = (summary.rows, summary.events, summary.refused, summary.unmapped, summary.time_estimated, summary.notes)
    for file in summary.rows:
        table.add_row(file, *(f"{count[file]:,}" for count in counts))
    console.print(table)
    if summary.urgent:
        message = (
            f"{summary.urgent} of the lines in the report concern severe, serious or fatal toxicities (urgent: yes)"
        )
        console.print(message, style="bold", highlight=False)
    console.print(f"report: {report}", highlight=False, soft_wrap=True)
    if summary.protocol is None:
        console.print("no protocol configuration: the mapping names no drugs", highlight=False)
    else:
        console.print(f"protocol: {protocol}", highlight=False, soft_wrap=True)
