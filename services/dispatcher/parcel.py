"""What goes in one message: one delivery, or everything that is due for one recipient and not urgent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from events.dates import Instant
from events.identity import derived_id
from services.dispatcher import ledger
from services.dispatcher.delivery import Delivery
from services.dispatcher.notice import QUIET_RANK
from services.dispatcher.routing import Route

#: As many alerts as one message lists.
LISTED_MAX: Final = 100


class Parcel(NamedTuple):
    """The deliveries of one message, by rank, and its id. Several have one recipient and one channel."""

    deliveries: tuple[Delivery, ...]
    id: str

    @property
    def first(self) -> Delivery:
        """The first of them, whose route is everybody's."""
        return self.deliveries[0]

    @property
    def channel(self) -> str:
        """The channel over which it goes."""
        return self.first.channel

    @property
    def is_grouped(self) -> bool:
        """Whether it is of the kind that goes with others, although it may be alone."""
        return self.first.is_grouped


class Busy:
    """What this process is sending over a channel: ``quick``, and ``slow``, for which a receiver takes its time (a scanner).

    Of one alert nothing goes on a route while something quick does, and what is no news also waits for something slow. Of what
    is not urgent, one message goes to a recipient at a time, slow ones aside.
    """

    def __init__(self, quick: Collection[Parcel], slow: Collection[Parcel] = ()) -> None:
        self.ids: Final = [each.id for parcel in (*quick, *slow) for each in parcel.deliveries]
        self._lines = {delivery.line for parcel in quick for delivery in parcel.deliveries}
        self._slow_lines = {delivery.line for parcel in slow for delivery in parcel.deliveries}
        self._routes = {parcel.first.route for parcel in quick if parcel.is_grouped}

    def keeps_back(self, row: Delivery) -> bool:
        """Whether a delivery has to wait for what is under way on its line."""
        is_slow = row.line in self._slow_lines and row.rank >= QUIET_RANK
        return row.id in self.ids or row.line in self._lines or is_slow

    def keeps_back_its_group(self, row: Delivery) -> bool:
        """Whether the message in which a delivery goes has to wait for another to the same recipient."""
        return row.is_grouped and row.route in self._routes

    def begins(self, row: Delivery, together: Collection[Delivery]) -> None:
        """From now on these are under way, too."""
        self._lines |= {delivery.line for delivery in together}
        if row.is_grouped:
            self._routes.add(row.route)


def parcels(
    connection: Connection, rows: Sequence[Delivery], busy: Busy, now: Instant, under_way_since: Instant
) -> Iterator[Parcel]:
    """The messages that the rows, all due over one channel, make now."""
    for row in rows:
        if busy.keeps_back(row) or busy.keeps_back_its_group(row):
            continue
        together = [row]
        if row.is_grouped:
            together = _one_a_line(ledger.going_with(connection, row, now, LISTED_MAX, under_way_since), busy)
        busy.begins(row, together)
        if together:
            yield parcel_of(together)


def parcel_of(deliveries: Sequence[Delivery]) -> Parcel:
    """The message of these deliveries.

    Its id is the delivery's, where it is one, and otherwise derived from theirs; where they may have arrived together, it is the
    one that they went under, so that no receiver gets the same revision under two ids.
    """
    ids = sorted(delivery.id for delivery in deliveries)
    fresh = ids[0] if len(ids) == 1 else derived_id("digest", *ids)
    return Parcel(tuple(deliveries), deliveries[0].digest or fresh)


def _one_a_line(rows: Sequence[Delivery], busy: Busy) -> list[Delivery]:
    """Of two revisions of one alert the newer one: the older is about to be superseded."""
    newest: dict[tuple[str, Route], Delivery] = {}
    for row in rows:
        if not busy.keeps_back(row) and (row.line not in newest or newest[row.line].revision < row.revision):
            newest[row.line] = row
    return [row for row in rows if newest.get(row.line) is row]
