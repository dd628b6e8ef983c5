"""``toxwatch audit``: who did what, and which key was used or refused when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from sqlalchemy import Connection

from events.dates import Instant, format_instant, parse_instant
from projections.store.write.audit import entries, uses
from services.platform.printable import printable
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat
from services.terminal.opening import store_of
from services.terminal.tables import console_for_output
from services.terminal.writing import write_json

audit_app = typer.Typer(help="Show who did what: people by command, keys by the hour.", no_args_is_help=True)

COLUMNS: Final = ("at", "until", "actor", "action", "object", "outcome", "count", "reason")

_Instant = Annotated[
    str | None, typer.Option(metavar="INSTANT", help="RFC 3339 with offset, such as 2026-11-30T08:00:00+01:00.")
]


@audit_app.callback()
def _group() -> None:
    """Show who did what: people by command, keys by the hour."""


@audit_app.command("list")
def list_audit(
    data: Data = None,
    config: Config = None,
    since: _Instant = None,
    until: _Instant = None,
    actor: Annotated[str | None, typer.Option("--actor", help="A person's account, or the id of a key.")] = None,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Commands one by one; what keys did, and refused keys, summed by hour and route."""
    bounds = (_instant(since, "--since"), _instant(until, "--until"), actor)
    with store_of(data, config, "audit list") as (_, database), database.reading() as connection:
        rows = _rows(connection, *bounds)
    if format is ListFormat.JSON:
        write_json(rows)
    elif format is ListFormat.NDJSON:
        for row in rows:
            typer.echo(json.dumps(row))
    else:
        table = Table(*COLUMNS)
        for row in rows:
            table.add_row(*("" if row[name] is None else printable(str(row[name])) for name in COLUMNS))
        console_for_output().print(table)


def _instant(text: str | None, option: str) -> Instant | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}", param_hint=option) from None


def _rows(
    connection: Connection, since: Instant | None, until: Instant | None, actor: str | None
) -> Sequence[dict[str, Any]]:
    empty = dict.fromkeys(COLUMNS)
    done = [
        {
            **empty,
            "at": format_instant(row.at),
            "actor": row.actor,
            "action": row.action,
            "object": row.object,
            "reason": row.reason,
        }
        for row in entries(connection, since, until, actor)
    ]
    used = [
        {
            **empty,
            "at": format_instant(row.first_at),
            "until": format_instant(row.last_at),
            "actor": row.key_id,
            "action": "request",
            "object": row.route,
            "outcome": row.outcome,
            "count": row.count,
        }
        for row in uses(connection, since, until, actor)
    ]
    return sorted(done + used, key=lambda row: str(row["at"]))
