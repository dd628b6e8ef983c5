"""``toxwatch migrate-log``: from the embedded run to Kafka and PostgreSQL, without losing an event or alerting anybody again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from pydantic import ValidationError

from services.log.moved_away import take_back as unmark
from services.maintenance.relocation.source import held
from services.platform.printable import printable
from services.platform.settings import Settings, SettingsError
from services.platform.time_source import SystemClock
from services.terminal.live_options import Config, ListFormat, OutputFormat, ProtocolInForce, settings_of
from services.terminal.progress import events_done
from services.terminal.writing import write_json

if TYPE_CHECKING:
    from services.maintenance.relocation.move import MoveReport

DIFFERENT: Final = 1

_FromData = Annotated[
    Path | None, typer.Option("--from-data", metavar="DIR", help="The data directory of the deployment to be moved.")
]
_FromDatabase = Annotated[
    str | None,
    typer.Option(
        "--from-database", metavar="URL", help="Its database, where that is none in a directory (PostgreSQL)."
    ),
]
_TakeBack = Annotated[
    bool,
    typer.Option("--take-back", help="Let what was moved be started again where it was; what came since is not in it."),
]


def migrate_log(
    from_data: _FromData = None,
    from_database: _FromDatabase = None,
    config: Config = None,
    protocol: ProtocolInForce = None,
    take_back: _TakeBack = False,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Move an embedded deployment to Kafka and PostgreSQL: every event, alert, delivery, key and dead letter.

    Stop `toxwatch run` first. It goes to the brokers (TOXWATCH_LOG), whose topics `toxwatch topics create` has made, and to
    an empty database (TOXWATCH_DATABASE). Broken off, it goes on when started again. At the end it compares both sides; what
    was moved is left as it was, save for a mark that keeps it from being started. Exits with 1 where anything differs.
    """
    source = _source(from_data, from_database)
    if take_back:
        _take_back(source)
        return
    settings = settings_of(None, config, protocol=protocol)
    # A second to import, which only this command should spend.
    from services.maintenance.relocation.moving import move_deployment

    try:
        report = move_deployment(source, settings, SystemClock(), events_done)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    if format is ListFormat.JSON:
        write_json({**report._asdict(), "differences": [one._asdict() for one in report.differences]})
    else:
        for one in report.differences:
            typer.echo(printable(f"{one.table}: {one.where}: {one.row}"))
    typer.echo(f"toxwatch: carried over {_said(report)}", err=True)
    typer.echo(
        f"toxwatch: checked as of {report.checked_at}: every entry, every row, what is true now, and the projections from the new"
        f" log; {len(report.differences) or 'nothing'} differs. What was moved is not started again",
        err=True,
    )
    raise typer.Exit(DIFFERENT if report.differences else 0)


def _source(data: Path | None, database: str | None) -> Settings:
    if (data is None) == (database is None):
        raise typer.BadParameter("name what is to be moved: either --from-data or --from-database")
    try:
        return Settings(data=data, database=database)
    except ValidationError as error:
        raise typer.BadParameter(
            "; ".join(fault["msg"].removeprefix("Value error, ") for fault in error.errors())
        ) from None


def _take_back(source: Settings) -> None:
    with held(source) as database, database.writing() as connection:
        was_marked = unmark(connection)
    typer.echo("toxwatch: " + ("it may be started again" if was_marked else "it was not moved"), err=True)


def _said(report: MoveReport) -> str:
    return (
        f"{report.clinical} entries of the clinical log into {report.partitions} partitions, {report.alerts} of the alert log,"
        f" and {sum(report.tables.values())} rows of {len(report.tables)} tables"
    )
