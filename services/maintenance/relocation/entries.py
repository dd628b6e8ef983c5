"""The entries of an embedded log, carried to a topic a page at a time: compared where they stand there already, else appended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Final

from events.errors import ToxwatchError
from services.log.kafka import KafkaLog, LogBroken
from services.log.port import Entry, EventLog
from services.maintenance.relocation.places import Places

#: How many entries of the old log are held at a time.
PAGE: Final = 2_000

Advance = Callable[[int, int], None]
Requirement = Callable[[EventLog, KafkaLog, Places, Advance], None]


class SourceBroken(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """What is to be moved is not whole, or does not stand still."""


class TargetTaken(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """Where it is to be moved to holds something else: nothing of that is touched."""


def places_of(source: EventLog, partitions: int) -> Places:
    """The new place of every entry. Raises :class:`SourceBroken` where one is missing."""
    places = Places(partitions)
    for page in _pages(source):
        for entry in page:
            if entry.position.offset != len(places):
                raise SourceBroken(f"the log to be moved has {entry.position} where 0/{len(places)} should follow")
            places.add(entry.key)
    if len(places) != source.end(0):
        raise SourceBroken(f"the log to be moved ends at 0/{len(places)}, and says 0/{source.end(0)}")
    return places


def require_beginning(source: EventLog, target: KafkaLog, places: Places, advance: Advance) -> None:
    """See that a topic holds nothing but what is to be carried there, as far as that has come. Raises :class:`TargetTaken`."""
    ends = target.ends()
    for partition, end in ends.items():
        if end > places.ends[partition]:
            raise TargetTaken(
                f"{target.topic}: partition {partition} holds {end} entries, of which {places.ends[partition]} at most can be"
                " from here; it is in use, or was made for something else"
            )
    if any(ends.values()):
        for page in _pages(source):
            there = [one for one in _carried(page, places) if one.position.offset < ends[one.position.partition]]
            _compare(target, there)
            advance(page[-1].position.offset + 1, len(places))


def require_all(source: EventLog, target: KafkaLog, places: Places, advance: Advance) -> None:
    """See that a topic holds all of it, byte for byte, and nothing else. Raises ``LogBroken`` where something is missing."""
    require_beginning(source, target, places, advance)
    if not is_whole(target, places):
        raise LogBroken(f"{target.topic}: it lacks entries that were written there")


def is_whole(target: KafkaLog, places: Places) -> bool:
    """Whether a topic holds as many entries as are to be carried there."""
    return target.ends() == dict(enumerate(places.ends))


def append_missing(
    source: EventLog, target: KafkaLog, places: Places, advance: Advance, on_appended: Callable[[], None]
) -> None:
    """Append what a topic does not hold yet, each entry at its place. Raises ``LogBroken`` where another writes there too."""
    ends = target.ends()
    for page in _pages(source):
        missing = [one for one in _carried(page, places) if one.position.offset >= ends[one.position.partition]]
        if missing:
            target.append_at(missing)
            on_appended()
        advance(page[-1].position.offset + 1, len(places))


def _pages(source: EventLog) -> Iterator[list[Entry]]:
    offset = 0
    while page := source.read(0, offset, PAGE):
        yield page
        offset = page[-1].position.offset + 1


def _carried(page: Iterable[Entry], places: Places) -> list[Entry]:
    """The entries as they are to stand in the topic, in the order of each partition."""
    return [entry._replace(position=place) for entry in page for place in places.all_of(entry.position.offset)]


def _compare(target: KafkaLog, expected: list[Entry]) -> None:
    """``expected`` follow each other within each partition."""
    by_partition = sorted(expected, key=lambda entry: entry.position)
    for partition, group in groupby(by_partition, key=lambda entry: entry.position.partition):
        wanted = list(group)
        found = target.read(partition, wanted[0].position.offset, len(wanted))
        for one, other in zip(wanted, found, strict=True):
            if one != other:
                raise TargetTaken(f"{target.topic}: the entry at {other.position} is not from this deployment")
