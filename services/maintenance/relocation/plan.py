"""What becomes of every table: data, in the order of ``projections.store.engine.tables``; a test compares the two.

What cannot be made again is carried as it is. What is projected is carried too, rather than judged again: so nothing is told
that was not told before, and the projections made from the new log (`verify`) are an independent check of all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, select, true

from events.errors import ToxwatchError
from projections.store.engine import tables, tables_upkeep
from projections.store.write.dead_letter_store import NewDeadLetter
from services.dispatcher.alert_entries import CONSUMER as DISPATCHER
from services.log import moved_away
from services.maintenance.relocation.places import Places
from services.monitor.monitor import CONSUMER as MONITOR

Row = Mapping[str, Any]
#: Save the positions of consumers that mean nothing elsewhere: of a rebuild that was broken off, and the mark.
_IS_GOING_ON: Final = tables.positions.c.consumer.not_like("rebuild-%") & (
    tables.positions.c.consumer != moved_away.CONSUMER
)


class CannotCarry(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """A row of which nobody knows what it would mean on Kafka."""


@dataclass(frozen=True, slots=True)
class Moving:
    """What is known while rows are carried: the new places of the clinical log, and the old database."""

    places: Places
    connection: Connection


def _as_it_is(row: Row, _moving: Moving) -> Iterable[Row]:
    yield row


def _at_its_place(row: Row, moving: Moving) -> Iterable[Row]:
    """A row that says where its event stands."""
    yield {**row, **moving.places.of(row["offset"])._asdict()}


def _letter(row: Row, moving: Moving) -> Iterable[Row]:
    """What the monitor parked is known again by its place, and by its bytes, which the log has where the letter's were erased."""
    if row["offset"] is None:
        yield row
        return
    (moved,) = _at_its_place(row, moving)
    log = tables.clinical_log.c
    body = moving.connection.execute(select(log.body).where(log.offset == row["offset"])).scalar_one()
    letter = NewDeadLetter(**{name: moved[name] for name in NewDeadLetter._fields})
    yield {**moved, "fingerprint": letter._replace(raw=body).fingerprint}


def _position(row: Row, moving: Moving) -> Iterable[Row]:
    """The alert log has one partition here and there, so that a place in it stays what it is."""
    if row["consumer"] == MONITOR:
        ends = moving.places.ends_before(row["next_offset"])
        yield from ({**row, "partition": number, "next_offset": end} for number, end in enumerate(ends))
    elif row["consumer"] == DISPATCHER:
        yield row
    else:
        raise CannotCarry(f"positions: {row['consumer']!r} is no consumer of an embedded deployment")


def _end(row: Row, _moving: Moving) -> Iterable[Row]:
    """Kafka counts its offsets itself; the latest stamp is what `receivedtime` must not fall behind."""
    yield {**row, "next_offset": 0}


@dataclass(frozen=True, slots=True)
class Carried:
    """A table, how each of its rows is carried, why so, and which. Of what has generations, the one in use alone is carried."""

    table: Table
    carry: Callable[[Row, Moving], Iterable[Row]]
    why: str
    only: ColumnElement[bool] = field(default_factory=true)

    def wanted(self, generation: int) -> Select[Any]:
        """The rows that are carried, or were."""
        found = select(self.table).where(self.only)
        return found.where(self.table.c.generation == generation) if "generation" in self.table.c else found


#: The two tables that become topics, byte for byte.
TOPICS: Final[Mapping[Table, str]] = {
    tables.clinical_log: "each entry to the partition of its key, in order; the rules in force to every partition",
    tables.alert_log: "to its one partition, in order, under the same ids",
}

CARRIED: Final[tuple[Carried, ...]] = (
    Carried(tables.log_ends, _end, "the latest stamp, so that receivedtime never goes back"),
    Carried(tables.taken_events, _at_its_place, "what was taken is a duplicate, or a conflict, there too"),
    Carried(tables.record_owners, _as_it_is, "a record keeps its owner"),
    Carried(tables.source_sites, _as_it_is, "a silent site stays silent"),
    Carried(tables.source_assignments, _as_it_is, "what was assigned stays so"),
    Carried(tables.subject_sites, _as_it_is, "a subject keeps its site"),
    Carried(tables.positions, _position, "what was judged or planned is not again", _IS_GOING_ON),
    Carried(tables.generations, _as_it_is, "the one in use; others are what a rebuild has left"),
    Carried(tables.activations, _as_it_is, "the same rules are in force, since the same event"),
    Carried(tables.chart_events, _at_its_place, "new events are judged with the whole history"),
    Carried(tables.subjects, _as_it_is, "as far as it had come, under the rules that it was judged under"),
    Carried(tables.findings, _as_it_is, "what stands"),
    Carried(tables.deadlines, _as_it_is, "what comes due meanwhile fires there; what has fired does not again"),
    Carried(tables.cohorts, _as_it_is, "the counts behind a hold"),
    Carried(
        tables.alert_events,
        _as_it_is,
        "the history and its places for readers; what was not sent yet is sent from there",
    ),
    Carried(tables.alerts, _as_it_is, "what was told last: nobody is told it again"),
    Carried(tables.dead_letters, _letter, "with its number, its bytes, and what was decided of it"),
    Carried(tables.parked_subjects, _as_it_is, "who is not watched is not watched there, until replayed"),
    Carried(tables.api_keys, _as_it_is, "every key works as before"),
    Carried(tables.audit, _as_it_is, "who did what is not forgotten by a move"),
    Carried(tables.key_uses, _as_it_is, "nor which key was used or refused"),
    Carried(tables.deliveries, _as_it_is, "who was told what; what waits is sent from there, once"),
    Carried(tables.delivery_attempts, _as_it_is, "and how often it was tried"),
    Carried(tables.disabled_channels, _as_it_is, "what its receiver has switched off stays off"),
    Carried(tables.grouped_messages, _as_it_is, "the next message that is not urgent waits for its time"),
    Carried(tables_upkeep.clock_confirmations, _as_it_is, "who said that a doubted clock was right"),
    Carried(tables_upkeep.database_life, _as_it_is, "the same alerts at the same places: readers go on"),
)
