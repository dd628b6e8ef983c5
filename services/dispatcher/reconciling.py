"""What a changed file of recipients means for the ledger; done once, before anything is planned or sent."""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from events.dates import Instant
from services.dispatcher import attempts, ledger
from services.dispatcher.delivery import UNROUTABLE, WAITING, Delivery, State, new_delivery
from services.dispatcher.recipients import Recipients
from services.dispatcher.routing import Directory, Route

log = structlog.get_logger()


def reconcile(connection: Connection, recipients: Recipients, now: Instant) -> None:
    """Try again what was disabled and is configured otherwise; what waits for a recipient or channel that is gone goes on.

    It goes on to those who are to be told now, so that a channel with a new name loses nothing.
    """
    for channel, fingerprint in ledger.disabled(connection).items():
        if channel not in recipients.channels or recipients.fingerprint(channel) != fingerprint:
            attempts.enable(connection, channel, now)
            log.info("channel_enabled", channel=channel)
    directory = Directory(recipients)
    gone = [row for row in ledger.unfinished(connection) if row.route not in directory.current(row.route)]
    ended: dict[str, State] = {row.id: UNROUTABLE for row in gone}
    ledger.close(connection, ended)
    ledger.add(connection, [other for row in gone for other in _instead(row, directory, now)])
    for row in gone:
        log.warning("recipient_or_channel_is_gone", delivery=row.id, channel=row.channel)


def _instead(row: Delivery, directory: Directory, now: Instant) -> list[Delivery]:
    """For whom the row goes on. Who has a row for this revision already is not told again: the id is the same."""
    chosen = [] if row.notice.is_withdrawn else directory.takers(row.notice)
    routes: list[Route] = [*directory.current(row.route), *chosen]
    return [
        new_delivery(row.event_id, row.notice, route, WAITING, now, row.not_before) for route in dict.fromkeys(routes)
    ]
