"""``toxwatch dead-letters``: parked input, listed, shown and erased."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Annotated, Final, NamedTuple

import typer
from rich.table import Table
from sqlalchemy import Connection

from events.dates import format_instant
from projections.folds.trial import Trial
from projections.store.engine.database import Database, StoreUnavailable
from projections.store.engine.disk_space import give_back, writing_sparingly
from projections.store.read.alerts import PAGE_MAX
from projections.store.read.dead_letters import DeadLetterRow, letter_of, letters_after
from projections.store.write.dead_letter_store import DeadLetterError, delete
from projections.store.write.dead_letter_upkeep import ERASED_AT_ONCE, Where, erase, meant_by
from services.api.dead_letter_filter import where_of
from services.api.dead_letter_shapes import dead_letter
from services.http.parameters import PLACE_MAX
from services.platform.disk import room_on
from services.platform.printable import printable
from services.platform.time_source import SystemClock
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat
from services.terminal.opening import store_of
from services.terminal.operator import operator_name
from services.terminal.tables import console_for_output
from services.terminal.writing import write_json
from services.trials.trial import trial_of

dead_letters_app = typer.Typer(help="Refused input, kept until somebody has dealt with it.", no_args_is_help=True)

#: How often it is tried to have the erased bytes overwritten while others read, and the pause between.
FORGETTING_MAX: Final = 50
PAUSE_SECONDS: Final = 0.1

LetterId = Annotated[int, typer.Argument(metavar="ID", min=1, max=PLACE_MAX, help="As `dead-letters list` shows it.")]
OneOrMany = Annotated[
    int | None,
    typer.Argument(metavar="[ID]", min=1, max=PLACE_MAX, help="As `dead-letters list` shows it.", show_default=False),
]


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
        raise DeadLetterError(f"there is no dead letter {letter_id}")
    if raw:
        if letter.raw is None:
            raise DeadLetterError(f"the bytes of dead letter {letter_id} were erased")
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
def delete_letters(
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept, with who and when.")],
    letter_id: OneOrMany = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="NAME=VALUE",
            help="All of which this is so: reason=, site=, key=, older-than=30d. Several must all be so.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="With --where: erase them, rather than say how many there are.")
    ] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Erase the bytes of a refused message, or of many. That they came, and who erased them and why, is kept.

    With --where it is said first how many letters are meant; only with --yes are they erased.
    """
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    if (letter_id is None) == (not where):
        raise typer.BadParameter("name one dead letter, or say which with --where", param_hint="ID")
    about = str(letter_id) if letter_id is not None else ", ".join(where or ())
    with store_of(data, config, "dead-letters delete", about, reason) as (settings, database):
        erasing = _Erasing(database, trial_of(settings), reason)
        if letter_id is not None:
            done = erasing.one(letter_id)
        else:
            done = erasing.many(where_of(where or (), SystemClock().now()), is_sure=yes)
        typer.echo(f"toxwatch: {done}", err=True)


class _Erasing(NamedTuple):
    """Erases, and says what was done. On a full disk one by one, and sparing with room."""

    database: Database
    trial: Trial
    why: str

    def one(self, letter_id: int) -> str:
        def erased(connection: Connection) -> None:
            delete(connection, self.trial, letter_id, operator_name(), self.why, SystemClock().now())

        with room_on(self.database):
            try:
                with self.database.writing() as connection:
                    erased(connection)
            except StoreUnavailable:
                with writing_sparingly(self.database) as connection:
                    erased(connection)
            return f"dead letter {letter_id} was erased{self._rest()}"

    def many(self, where: Where, *, is_sure: bool) -> str:
        with self.database.reading() as connection:
            meant = meant_by(connection, where)
        severe = f", {meant.severe} of them severe and open, whose alerts end" if meant.severe else ""
        said = f"{meant.letters} dead letters with {meant.bytes} bytes{severe}"
        if not is_sure:
            return f"{said}: nothing was erased; the same with --yes erases them"
        with room_on(self.database):
            try:
                erased = self._erased(where, self.database.writing, ERASED_AT_ONCE)
            except StoreUnavailable:
                erased = self._erased(where, partial(writing_sparingly, self.database), 1)
            return f"{said}: {erased} erased{self._rest()}"

    def _erased(self, where: Where, writing: Callable[[], AbstractContextManager[Connection]], at_once: int) -> int:
        total = 0
        while True:
            at = (self.trial, where, operator_name(), self.why, SystemClock().now())
            with writing() as connection:
                some = erase(connection, *at, at_once)
            total += some
            if not some:
                return total

    def _rest(self) -> str:
        """Give back the room, and have nothing left of the bytes."""
        with suppress(StoreUnavailable):
            give_back(self.database)
        gone = _forgotten(self.database)
        return "" if gone else "; the bytes stay in the file until readers of an older state have finished"


def _forgotten(database: Database) -> bool:
    """Have the erased bytes overwritten; False where others read an older state for too long."""
    for _ in range(FORGETTING_MAX):
        if database.forget_erased():
            return True
        time.sleep(PAUSE_SECONDS)
    return False


def _all(connection: Connection, state: str | None, reason: str | None) -> Iterator[DeadLetterRow]:
    after = 0
    while page := letters_after(connection, after, PAGE_MAX, state=state, reason=reason):
        yield from page
        after = page[-1].id


def _table(found: Iterator[DeadLetterRow]) -> Table:
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
