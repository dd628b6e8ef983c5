"""From the alert log to the ledger: the rows and the position in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import structlog
from sqlalchemy import Connection

from events.dates import HOUR, SECOND, Instant, parse_instant
from projections.folds.system_alerts import UNDELIVERED
from projections.rules.protocol import Protocol
from services.dispatcher import ledger
from services.dispatcher.alert_entries import AlertEntries, News, move
from services.dispatcher.delivery import Delivery, State
from services.dispatcher.ledger import Step
from services.dispatcher.planning import Draft, planning_line, routine_since
from services.dispatcher.recipients import Recipients
from services.dispatcher.routing import Directory, Route
from services.log.port import Entry

log = structlog.get_logger()


class Planner:
    """Writes down who has to be told of each alert event."""

    def __init__(self, protocol: Protocol, source: str, recipients: Recipients) -> None:
        delay = protocol.assumptions.routine_delivery_delay_hours * HOUR
        self._entries = AlertEntries(protocol, source)
        again = int(recipients.grouping.system_alert_seconds * SECOND)
        self._line = planning_line(Directory(recipients), delay, again)

    def plan(self, entries: Sequence[Entry], connection: Connection, now: Instant) -> int:
        """Plan entries of one partition that follow each other, and move the position past them. Says how many rows are new.

        Raises :class:`services.dispatcher.alert_entries.FencedDispatcher` where the position is not at the first of them.
        """
        if not entries:
            return 0
        move(connection, entries)
        news = self._entries.read(entries, connection, now)
        before = ledger.known_of(connection, {each.notice.alert_id for each in news})
        history = ledger.history_of(connection, {each.notice.alert_id for each in news if each.notice.waits})
        disabled = ledger.disabled(connection)
        after: dict[str, list[Delivery]] = dict(before)
        for each in news:
            known = after[each.notice.alert_id]
            if any(row.revision >= each.notice.revision for row in known):
                continue  # it was planned before, or something newer was
            steps = history.get(each.notice.alert_id, ())
            draft = self._draft(each, known, steps, _failing(connection, each, now), now)
            rows = draft.rows(disabled)
            if not rows and not each.notice.is_withdrawn:
                log.warning("alert_is_taken_by_nobody", event_id=each.event_id)
            after[each.notice.alert_id] = [
                row._replace(state=draft.ended.get(row.id, row.state)) for row in known
            ] + rows
        return _write(connection, before, after)

    def pass_over(self, entry: Entry, why: str, connection: Connection, now: Instant) -> None:
        """Move past an entry that cannot be planned, and have an alert tell of it."""
        move(connection, [entry])
        self._entries.tell_of(entry, why, connection, now)

    def _draft(
        self, news: News, known: Sequence[Delivery], steps: Sequence[Step], failing: frozenset[Route], now: Instant
    ) -> Draft:
        since = routine_since(news.notice, steps, parse_instant(news.notice.detected_at))
        draft = Draft(news.event_id, news.notice, now, known, since, failing)
        for stage in self._line:
            draft = stage(draft)
        return draft


def _failing(connection: Connection, news: News, now: Instant) -> frozenset[Route]:
    """Of an alert that another one is not delivered: the routes on which it is not."""
    if not news.notice.case.startswith(UNDELIVERED):
        return frozenset()
    about = news.notice.case.removeprefix(UNDELIVERED)
    rows = ledger.known_of(connection, [about])[about]
    return frozenset(row.route for row in rows if row.is_unfinished and row.not_before <= now)


def _write(
    connection: Connection, before: Mapping[str, Iterable[Delivery]], after: Mapping[str, Iterable[Delivery]]
) -> int:
    """Write what is new, and what has ended. A row that a batch both makes and supersedes is written as superseded."""
    states = {row.id: row.state for rows in before.values() for row in rows}
    new: list[Delivery] = []
    ended: dict[str, State] = {}
    for rows in after.values():
        for row in rows:
            if row.id not in states:
                new.append(row)
            elif row.state != states[row.id]:
                ended[row.id] = row.state
    ledger.close(connection, ended)
    ledger.add(connection, new)
    return len(new)
