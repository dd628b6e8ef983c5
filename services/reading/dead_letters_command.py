"""``toxwatch dead-letters``: parked input, listed, shown and erased."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated, Final

import typer
from rich.table import Table
from sqlalchemy import Connection

from events.dates import format_instant
from projections.store.database import Database
from projections.store.parking import LetterError, delete
from projections.store.reading import PAGE_MAX
from projections.store.reading_letters import Letter, letter_of, letters_after
from services.assessment.tables import console_for_output
from services.assessment.writing import printable, write_json
from services.clock.time_source import SystemClock
from services.live_options import Config, Data, ListFormat, OutputFormat
from services.operator import operator_name
from services.protocols import find_protocol
from services.reading.letter_shapes import dead_letter
from services.reading.opening import store_of
from services.reading.parameters import PLACE_MAX

dead_letters_app = typer.Typer(
    help="Parked input: what was refused, until somebody has dealt with it.", no_args_is_help=True
)

#: How often it is tried to have the erased bytes overwritten while others read, and the pause between.
FORGETTING_MAX: Final = 50
PAUSE_SECONDS: Final = 0.1

LetterId = Annotated[int, typer.Argument(metavar="ID", min=1, max=PLACE_MAX, help="As `dead-letters list` shows it.")]


@dead_letters_app.command("list")
def list_letters(
    data: Data = None,
    config: Config = None,
    state: Annotated[str | None, typer.Option("--state", help="Only those parked, settled or deleted.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only those refused for this reason.")] = None,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """What was refused, in the order in which it came, without its bytes."""
    with store_of(data, config, "dead-letters list") as (_, database), database.reading() as connection:
        found = _all(connection, state, reason)
        if format is ListFormat.JSON:
            write_json([dead_letter(letter).model_dump(mode="json") for letter in found])
        elif format is ListFormat.NDJSON:
            for letter in found:
                typer.echo(dead_letter(letter).model_dump_json())
        else:
            console_for_output().print(_table(found))


@dead_letters_app.command("show")
def show_letter(
    letter_id: LetterId,
    data: Data = None,
    config: Config = None,
    raw: Annotated[bool, typer.Option("--raw", help="Write the bytes as they came, and nothing else.")] = False,
) -> None:
    """One refused message: what is wrong with it, and what it says, made safe for a terminal."""
    with store_of(data, config, "dead-letters show", str(letter_id)) as (_, database), database.reading() as connection:
        letter = letter_of(connection, letter_id)
    if letter is None:
        raise LetterError(f"there is no dead letter {letter_id}")
    if raw:
        if letter.raw is None:
            raise LetterError(f"the bytes of dead letter {letter_id} were erased")
        sys.stdout.buffer.write(letter.raw)
        sys.stdout.buffer.flush()
        return
    for name, value in dead_letter(letter).model_dump(exclude_none=True).items():
        typer.echo(f"{name}: {printable(str(value))}")
    if letter.headers is not None:
        typer.echo(f"headers: {printable(letter.headers)}")
    text = "(erased)" if letter.raw is None else printable(letter.raw.decode(errors="backslashreplace"))
    typer.echo(f"raw: {text}")


@dead_letters_app.command("delete")
def delete_letter(
    letter_id: LetterId,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept, with who and when.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Erase the bytes of a refused message. That it came, and who erased it and why, is kept."""
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    with store_of(data, config, "dead-letters delete", str(letter_id), reason) as (settings, database):
        protocol = find_protocol(settings.protocol)
        with database.writing() as connection:
            delete(connection, protocol, settings.source, letter_id, operator_name(), reason, SystemClock().now())
        gone = _forgotten(database)
    rest = "" if gone else "; its bytes stay in the file until whoever reads an older state has done"
    typer.echo(f"toxwatch: dead letter {letter_id} was erased{rest}", err=True)


def _forgotten(database: Database) -> bool:
    """Have the erased bytes overwritten; False where others read an older state for too long."""
    for _ in range(FORGETTING_MAX):
        if database.forget_erased():
            return True
        time.sleep(PAUSE_SECONDS)
    return False


def _all(connection: Connection, state: str | None, reason: str | None) -> Iterator[Letter]:
    after = 0
    while page := letters_after(connection, after, PAGE_MAX, state=state, reason=reason):
        yield from page
        after = page[-1].id


def _table(found: Iterator[Letter]) -> Table:
    table = Table(title="Dead letters", title_justify="left")
    for name in ("id", "last seen", "times", "reason", "state", "severe", "site", "subject", "event", "error"):
        table.add_column(name, overflow="fold")
    for letter in found:
        table.add_row(
            str(letter.id),
            format_instant(letter.last_seen_at),
            str(letter.times),
            letter.reason,
            letter.state,
            "yes" if letter.is_severe else "",
            letter.site or "-",
            letter.subject or "-",
            printable(letter.event_id or "-"),
            printable(letter.error),
        )
    return table
