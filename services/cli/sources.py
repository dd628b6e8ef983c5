"""``toxwatch sources``: from where each site writes, and what an operator has assigned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from sqlalchemy import Connection

from events.dates import format_instant
from events.errors import ToxwatchError
from projections.store.write.assignments import assign, assignment_rows, heard_rows, release
from projections.store.write.audit import record
from services.gateway.keys import SITE_PATTERN
from services.gateway.sources import fault_of_pattern, is_of_people
from services.platform import time_source
from services.platform.printable import printable
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat
from services.terminal.opening import store_of
from services.terminal.operator import operator_name
from services.terminal.tables import console_for_output
from services.terminal.writing import write_json

sources_app = typer.Typer(help="Sources: for which sites each may speak.", no_args_is_help=True)

COLUMNS: Final = ("source", "site", "state", "first_used", "last_used", "assigned", "by", "reason")

Pattern = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A source, or the beginning of several with * at its end.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept, with who and when.")]


class SourceError(ToxwatchError):
    """A source cannot be released: nothing ties it."""


@sources_app.command("list")
def list_sources(
    data: Data = None,
    config: Config = None,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """What is assigned, and from where each site was heard."""
    with store_of(data, config, "sources list") as (_, database), database.reading() as connection:
        rows = _rows(connection)
    if format is ListFormat.JSON:
        write_json(rows)
    elif format is ListFormat.NDJSON:
        for row in rows:
            typer.echo(json.dumps(row))
    else:
        table = Table(*(name.replace("_", " ") for name in COLUMNS))
        for row in rows:
            table.add_row(*(printable(row[name] or "") for name in COLUMNS))
        console_for_output().print(table)


@sources_app.command("assign")
def assign_source(
    pattern: Pattern,
    site: Annotated[list[str], typer.Option("--site", help="A site whose keys write from it; again for each.")],
    reason: Reason,
    data: Data = None,
    config: Config = None,
) -> None:
    """Let the keys of these sites write from a source, and those of no other site, whatever a key says."""
    _require(reason)
    for one in site:
        if not SITE_PATTERN.fullmatch(one):
            raise typer.BadParameter(f"{one!r} is not the id of a site, such as FR01", param_hint="--site")
    fault = fault_of_pattern(pattern, site)
    if fault is not None:
        raise typer.BadParameter(f"{pattern!r}: {fault}", param_hint="SOURCE")
    with store_of(data, config) as (settings, database), database.writing() as connection:
        if is_of_people(pattern, settings.deployment):
            raise typer.BadParameter("signed-in people write from it, and no key does", param_hint="SOURCE")
        by, now = operator_name(), time_source.now()
        before = assign(connection, pattern, site, by, reason, now)
        said = f"{pattern} to {', '.join(site)}" + (f", before to {', '.join(sorted(before))}" if before else "")
        record(connection, now, by, "sources assign", said, reason)
    typer.echo(f"toxwatch: assigned {printable(said)}", err=True)


@sources_app.command("release")
def release_source(pattern: Pattern, reason: Reason, data: Data = None, config: Config = None) -> None:
    """Undo an assignment, and take the source out of the list of every key that names it."""
    _require(reason)
    with store_of(data, config) as (_, database), database.writing() as connection:
        undone = release(connection, pattern)
        if not undone:
            raise SourceError(f"{pattern!r} is assigned to no site, and no key names it")
        record(
            connection, time_source.now(), operator_name(), "sources release", f"{pattern}: {'; '.join(undone)}", reason
        )
    typer.echo(f"toxwatch: released {printable(pattern)}: {'; '.join(undone)}", err=True)


def _require(reason: str) -> None:
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")


def _rows(connection: Connection) -> Sequence[dict[str, Any]]:
    empty = dict.fromkeys(COLUMNS)
    assigned = [
        {
            **empty,
            "source": row.pattern,
            "site": row.site,
            "state": "assigned",
            "assigned": format_instant(row.assigned_at),
            "by": row.assigned_by,
            "reason": row.reason,
        }
        for row in assignment_rows(connection)
    ]
    heard = [
        {
            **empty,
            "source": row.source,
            "site": row.site,
            "state": "used",
            "first_used": format_instant(row.first_used_at),
            "last_used": None if row.last_used_at is None else format_instant(row.last_used_at),
        }
        for row in heard_rows(connection)
    ]
    return assigned + heard
