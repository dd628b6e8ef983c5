"""What goes in one message: one delivery, or everything that is due for one recipient and not urgent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from events.dates import Instant
from events.identity import derived_id
from services.dispatcher import ledger
from services.dispatcher.delivery import Delivery
from services.dispatcher.routing import Route

#: As many alerts as one message lists.
LISTED_MAX: Final = 100


class Parcel(NamedTuple):
    """The deliveries of one message, by rank. Several have one recipient and one channel."""

    deliveries: tuple[Delivery, ...]

    @property
    def id(self) -> str:
        """The message's id: the delivery's, where it is one; the same whenever the same deliveries go together."""
        ids = sorted(delivery.id for delivery in self.deliveries)
        return ids[0] if len(ids) == 1 else derived_id("digest", *ids)

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


def parcels(
    connection: Connection,
    rows: Sequence[Delivery],
    under_way: Collection[Parcel],
    now: Instant,
    under_way_since: Instant,
) -> Iterator[Parcel]:
    """The messages that the rows, all due over one channel, make now. ``under_way`` is what this process is sending.

    Of one alert, nothing goes on a route while something else does; and one message that is not urgent at a time.
    """
    busy_lines = {delivery.line for parcel in under_way for delivery in parcel.deliveries}
    busy_routes = {parcel.first.route for parcel in under_way if parcel.is_grouped}
    for row in rows:
        if row.line in busy_lines or (row.is_grouped and row.route in busy_routes):
            continue
        together = [row]
        if row.is_grouped:
            busy_routes.add(row.route)
            together = _one_a_line(ledger.going_with(connection, row, now, LISTED_MAX, under_way_since), busy_lines)
        if together:
            busy_lines |= {delivery.line for delivery in together}
            yield Parcel(tuple(together))


def _one_a_line(rows: Sequence[Delivery], busy_lines: Collection[tuple[str, Route]]) -> list[Delivery]:
    """Of two revisions of one alert the newer one: the older is about to be superseded."""
    newest: dict[tuple[str, Route], Delivery] = {}
    for row in rows:
        if row.line not in busy_lines and (row.line not in newest or newest[row.line].revision < row.revision):
            newest[row.line] = row
    return [row for row in rows if newest.get(row.line) is row]
