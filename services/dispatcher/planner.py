"""From the alert log to the ledger: the rows and the position in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import structlog
from sqlalchemy import Connection

from events.dates import HOUR, SECOND, Instant, parse_instant
from projections.folds.system_alerts import UNDELIVERED
from projections.folds.trial import Trial
from services.dispatcher import ledger
from services.dispatcher.alert_context import with_surroundings
from services.dispatcher.alert_entries import AlertEntries, News, move
from services.dispatcher.delivery import Delivery, State
from services.dispatcher.planning import DeliveryPlan, planning_line, routine_since
from services.dispatcher.recipients import Recipients
from services.dispatcher.routing import Directory
from services.log.port import Entry

log = structlog.get_logger()


class Planner:
    """Writes down who has to be told of each alert event."""

    def __init__(self, trial: Trial, recipients: Recipients) -> None:
        delay = trial.protocol.assumptions.routine_delivery_delay_hours * HOUR
        self._trial = trial
        self._entries = AlertEntries(trial)
        again = int(recipients.grouping.system_alert_seconds * SECOND)
        self._line = planning_line(Directory(recipients), delay, again)

    def plan(self, entries: Sequence[Entry], connection: Connection, now: Instant) -> int:
        """Plan entries of one partition that follow each other, and move the position past them. Says how many rows are new.

        Raises :class:`services.dispatcher.alert_entries.FencedDispatcher` where the position is not at the first of them.
        """
        if not entries:
            return 0
        move(connection, entries)
        news = self._read(entries, connection, now)
        before = ledger.known_of(connection, {each.notice.alert_id for each in news})
        history = ledger.history_of(connection, {each.notice.alert_id for each in news if each.notice.waits})
        disabled = ledger.disabled(connection)
        about = {each.notice.subject for each in news if each.notice.subject is not None}
        overdue = ledger.overdue_subjects(connection, about, now) if about else set()
        after: dict[str, list[Delivery]] = dict(before)
        for each in news:
            known = after[each.notice.alert_id]
            if any(row.revision >= each.notice.revision for row in known):
                continue  # it was planned before, or something newer was
            steps = history.get(each.notice.alert_id, ())
            since = routine_since(each.notice, steps, parse_instant(each.notice.detected_at))
            failing, is_overdue = _failing(connection, each), each.notice.subject in overdue
            draft = DeliveryPlan(each.event_id, each.notice, now, known, since, failing, is_overdue=is_overdue)
            for stage in self._line:
                draft = stage(draft)
            rows = draft.rows(disabled)
            if not rows and not each.notice.is_withdrawn:
                log.warning("alert_is_taken_by_nobody", event_id=each.event_id)
            after[each.notice.alert_id] = [
                row._replace(state=draft.ended.get(row.id, row.state)) for row in known
            ] + rows
        return _write(connection, before, after)

    def _read(self, entries: Sequence[Entry], connection: Connection, now: Instant) -> list[News]:
        news = self._entries.read(entries, connection, now)
        notices = with_surroundings(connection, self._trial.protocol, [each.notice for each in news])
        return [each._replace(notice=notice) for each, notice in zip(news, notices, strict=True)]

    def pass_over(self, entry: Entry, why: str, connection: Connection, now: Instant) -> None:
        """Move past an entry that cannot be planned, and have an alert tell of it."""
        move(connection, [entry])
        self._entries.tell_of(entry, why, connection, now)


def _failing(connection: Connection, news: News) -> frozenset[str]:
    """Of an alert that a channel does not deliver: the channels that do not, which it must not go over."""
    if not news.notice.case.startswith(UNDELIVERED):
        return frozenset()
    return frozenset({news.notice.case.removeprefix(UNDELIVERED), *ledger.told_late(connection)})


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
