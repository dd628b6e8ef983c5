"""``toxwatch migrate``, ``rebuild`` and ``verify``: operations on the projections, beside a running system."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.progress import Progress

from projections.rules.logic.trial_protocol import Protocol
from projections.store.engine.database import Database
from projections.store.engine.schema import SchemaState, latest_revision
from projections.store.engine.schema import migrate as migrate_tables
from projections.store.rebuild.rebuild import Rebuild
from projections.store.rebuild.verify import differences
from projections.store.write.batch import LogEntry
from services.log.decoding import Decoder
from services.log.opening import open_logs
from services.log.port import EventLog
from services.monitor.monitor import CONSUMER
from services.platform.settings import Settings, SettingsError
from services.platform.time_source import SystemClock
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat, ProtocolInForce, settings_of
from services.terminal.opening import store_of
from services.terminal.operator_audit import audited
from services.terminal.options import protocol_of
from services.terminal.writing import printable, write_json
from services.trials.rules_version import configuration_hash

DIFFERENT: Final = 1


def migrate(data: Data = None, config: Config = None) -> None:
    """Make the tables, or bring them to this version. Stop Toxwatch and make a backup first."""
    settings = settings_of(data, config)
    try:
        url = settings.database_url
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    database = Database(url)
    try:
        before = migrate_tables(database)
        audited(database, "migrate", latest_revision())
    finally:
        database.close()
    done = "already of" if before is SchemaState.CURRENT else "now of"
    typer.echo(f"toxwatch: the tables are {done} version {latest_revision()}", err=True)


def rebuild(data: Data = None, config: Config = None, protocol: ProtocolInForce = None) -> None:
    """Make the projections again from the first event, while traffic goes on, and change over to them.

    Nothing is told again. Where a verdict is another under the rules in force, its alert is revised.
    """
    with (
        store_of(data, config, "rebuild", protocol=protocol) as (settings, database),
        open_logs(settings, database) as logs,
    ):
        clock = SystemClock()
        with (
            rebuild_of(settings, database, logs.clinical).begun(clock.now()) as made,
            progress_bar("reading the log") as advance,
        ):
            revised = made.change_over(clock.now, advance)
    typer.echo(f"toxwatch: rebuilt; {len(revised)} alerts were revised", err=True)
    if made.parked:
        typer.echo(
            f"toxwatch: not being watched, since their events cannot be judged: {', '.join(sorted(made.parked))}",
            err=True,
        )


def verify(
    data: Data = None,
    config: Config = None,
    protocol: ProtocolInForce = None,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Rebuild aside and compare, row by row. Exits with 1 and names every row that differs."""
    with (
        store_of(data, config, "verify", protocol=protocol) as (settings, database),
        open_logs(settings, database) as logs,
    ):
        clock = SystemClock()
        with (
            rebuild_of(settings, database, logs.clinical).aside(clock.now()) as made,
            progress_bar("reading the log") as advance,
            made.snapshot(clock.now, advance) as connection,
        ):
            found = list(differences(connection, made.generation))
    if format is ListFormat.JSON:
        write_json([one._asdict() for one in found])
    else:
        for one in found:
            typer.echo(printable(f"{one.table}: {one.where}: {one.row}"))
    typer.echo(f"toxwatch: verified; {len(found) or 'no'} rows differ", err=True)
    raise typer.Exit(DIFFERENT if found else 0)


def rebuild_of(settings: Settings, database: Database, log: EventLog) -> Rebuild:
    """A rebuild of this deployment, not yet begun."""
    protocol = protocol_of(settings.protocol)
    rules, read = configuration_hash(protocol), reading_of(log, protocol)
    return Rebuild(database, protocol, rules, settings.source, read, log.partitions, CONSUMER)


def reading_of(log: EventLog, protocol: Protocol) -> Callable[[int, int, int], Sequence[LogEntry]]:
    """The clinical log as a rebuild reads it: decoded."""
    decoder = Decoder(protocol, log.partitions)

    def read(partition: int, offset: int, limit: int) -> list[LogEntry]:
        return decoder.decode(log.read(partition, offset, limit))

    return read


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over events: on a terminal's standard error, and nowhere else."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
