"""``toxwatch alerts``: how each alert stands, and with ``--follow`` each alert event as it is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import typer
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from events.alert import AlertEvent
from events.catalog import EVENT_ADAPTER
from events.dates import format_instant, parse_instant
from events.envelope import SUBJECT_PATTERN
from projections.store.engine.database import Database, StoreUnavailable
from projections.store.engine.life import life_of
from projections.store.read.alerts import (
    PAGE_MAX,
    PublishedAlert,
    PublishedEvent,
    alert_of,
    alerts_after,
    events_after,
    newest_seq,
)
from projections.store.rows.outbox import OPEN, WITHDRAWN, State
from services.api.alert_shapes import alert_shape
from services.api.cursors import Cursor, is_of_another_life
from services.platform.printable import printable
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat
from services.terminal.opening import store_of
from services.terminal.tables import STYLES, console_for_output
from services.terminal.writing import write_json
from services.web.alert_words import NONE, clause_list, shown_verdict

POLL_SECONDS: Final = 0.5


class OfVerdict(StrEnum):
    """The verdicts that an alert may have."""

    MET = "met"
    POSSIBLE = "possible"


class OfState(StrEnum):
    """An alert stands, or was withdrawn."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"


OfSubject = Annotated[str | None, typer.Option("--subject", metavar="ID", help="Only this subject's.")]


class Wanted(NamedTuple):
    """Which alerts are asked for; None: any."""

    subject: str | None
    verdict: OfVerdict | None
    state: OfState | None

    def matches(self, alert: PublishedAlert) -> bool:
        """Whether a change of an alert is of interest: also one that ends the verdict asked for."""
        verdicts = (None, alert.data.verdict, alert.data.previous_verdict)
        return self.subject in (None, alert.subject) and self.verdict in verdicts and self.state in (None, alert.state)


def alerts(
    data: Data = None,
    config: Config = None,
    subject: OfSubject = None,
    verdict: Annotated[OfVerdict | None, typer.Option("--verdict", help="Only those with this verdict.")] = None,
    state: Annotated[OfState | None, typer.Option("--state", help="Only those that stand, or were withdrawn.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with each alert event as it is told.")] = False,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """List alerts in the order in which they changed; Ctrl-C ends --follow."""
    checked_subject(subject)
    if follow and format is ListFormat.JSON:
        raise typer.BadParameter(
            "with --follow there is no end to one JSON document; use ndjson", param_hint="--format"
        )
    wanted = Wanted(subject, verdict, state)
    with store_of(data, config, "alerts", subject or "") as (_, database):
        with database.reading() as connection:
            seen = Cursor(life_of(connection), newest_seq(connection))
            _show(_all(connection, wanted), format)
        if follow:
            with suppress(KeyboardInterrupt):
                _follow(database, seen, wanted, format)


def checked_subject(subject: str | None) -> None:
    """Wrong usage where that cannot be a subject's id."""
    if subject is not None and re.fullmatch(SUBJECT_PATTERN, subject) is None:
        raise typer.BadParameter("not a subject id", param_hint="--subject")


def _all(connection: Connection, wanted: Wanted) -> Iterator[PublishedAlert]:
    after = 0
    while page := alerts_after(connection, after, PAGE_MAX, **wanted._asdict()):
        yield from page
        after = page[-1].seq


def _show(found: Iterator[PublishedAlert], format: ListFormat) -> None:  # noqa: A002
    if format is ListFormat.JSON:
        write_json([alert_shape(alert).model_dump(mode="json") for alert in found])
    elif format is ListFormat.NDJSON:
        for alert in found:
            _write_line(alert)
    else:
        console_for_output().print(_table(found))


def _follow(database: Database, seen: Cursor, wanted: Wanted, format: ListFormat) -> None:  # noqa: A002
    """Every alert event behind ``seen`` as it comes, until somebody interrupts; from the beginning after a restore."""
    pause = threading.Event()
    was_down = False
    while True:
        try:
            with database.reading() as connection:
                here = Cursor(life_of(connection), newest_seq(connection))
                if is_of_another_life(seen, here.life, here.number):
                    typer.echo("toxwatch: the database was restored; following from its beginning", err=True)
                    seen = Cursor(here.life, 0)
                page = [(told.kind, _at(connection, told)) for told in events_after(connection, seen.number, PAGE_MAX)]
            was_down = False
        except StoreUnavailable as error:
            page = []
            if not was_down:
                typer.echo(f"toxwatch: {error}; trying again", err=True)
            was_down = True
        for kind, alert in page:
            seen = Cursor(here.life, alert.seq)
            if wanted.matches(alert):
                _write_line(alert) if format is ListFormat.NDJSON else typer.echo(_line(kind, alert))
        if len(page) < PAGE_MAX:
            pause.wait(POLL_SECONDS)


def _at(connection: Connection, told: PublishedEvent) -> PublishedAlert:
    """The alert as it stood with that event."""
    event = EVENT_ADAPTER.validate_json(told.body)
    assert isinstance(event, AlertEvent)
    now = alert_of(connection, event.data.alert_id)
    detected_at = parse_instant(event.data.detected_at)
    raised_at = detected_at if now is None else now.raised_at
    state: State = WITHDRAWN if told.kind == "withdrawn" else OPEN
    return PublishedAlert(told.seq, told.subject, state, raised_at, detected_at, event.data)


def _write_line(alert: PublishedAlert) -> None:
    typer.echo(alert_shape(alert).model_dump_json())


def _line(kind: str, alert: PublishedAlert) -> str:
    data, withdrawn = alert.data, alert.state == WITHDRAWN
    clauses = clause_list(data, withdrawn=withdrawn)
    what = f"{alert.subject or NONE} {data.case} {shown_verdict(data, withdrawn=withdrawn)}"
    how = kind if withdrawn else f"{data.urgency.upper()} {kind}"
    why = "; ".join(data.reasons)
    return printable(f"{format_instant(alert.changed_at)} {how} {what}{f' ({clauses})' if clauses else ''}: {why}")


def _table(found: Iterator[PublishedAlert]) -> Table:
    table = Table(title="Alerts", title_justify="left")
    for name in (
        "changed",
        "subject",
        "case",
        "verdict",
        "clauses",
        "urgency",
        "state",
        "revision",
        "why, and what is open",
    ):
        table.add_column(name, overflow="fold")
    for alert in found:
        data, withdrawn = alert.data, alert.state == WITHDRAWN
        verdict = shown_verdict(data, withdrawn=withdrawn)
        table.add_row(
            format_instant(alert.changed_at),
            alert.subject or NONE,
            data.case,
            Text(verdict, style=STYLES.get(verdict, "")),
            clause_list(data, withdrawn=withdrawn),
            data.urgency,
            alert.state,
            str(data.revision),
            "\n".join([*data.reasons, *(f"? {question}" for question in data.questions)]),
        )
    return table
