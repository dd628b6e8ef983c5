"""How the same events may come in: in any order, more than once, in batches, with every instant written in any offset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle, pairwise
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from events.codec import Logged
from events.dates import INSTANT_PATTERN, Instant, parse_instant
from events.identity import NOT_CONTENT
from projections.folds.event_ledger import EventLedger
from projections.folds.trial_projection import TrialProjection
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol
from tests.properties.draws import in_offset
from tests.rules.scenario import decoded

Json = dict[str, Any]

#: Minutes east of Greenwich; the last is west of every date line, and one is not a whole hour.
OFFSETS: Final = [0, 60, 120, -300, 345, 840, -720]


class Arrival(NamedTuple):
    """``order`` says which event comes when, by its index, and may name one twice. Batches begin at ``cuts``."""

    order: list[int]
    cuts: set[int]
    offsets: list[int]

    def of(self, events: Sequence[Any]) -> list[list[Any]]:
        """The events as they arrive, batch by batch."""
        edges = [0, *sorted(self.cuts), len(self.order)]
        return [[events[n] for n in self.order[a:b]] for a, b in pairwise(edges)]


def arrivals(count: int, *, any_order: bool = True) -> st.SearchStrategy[Arrival]:
    """Ways in which so many events may arrive. Not in any order: as they are, duplicates last."""
    again = st.lists(st.integers(0, count - 1), max_size=2)
    orders = again.map(lambda extra: [*range(count), *extra])
    return st.builds(
        Arrival,
        order=orders.flatmap(st.permutations) if any_order else orders,
        cuts=st.sets(st.integers(1, count), max_size=2),
        offsets=st.lists(st.sampled_from(OFFSETS), min_size=1, max_size=3),
    )


def verdicts(batches: Sequence[Sequence[Logged]], as_of: Instant, protocol: TrialProtocol = PROTOCOL) -> Json:
    """What ``assess`` says of the events known by their ``time``, asked after every batch, and each taken once."""
    trial = TrialProjection(protocol)
    ledger = EventLedger(protocol)
    for batch in batches:
        for event, time, _ in batch:
            subject: str | None = getattr(event, "subject", None)
            if ledger.first_position(subject, event) is None and ledger.foreign_owner(subject, event) is None:
                ledger.take(subject, event, trial.events)
                if time <= as_of:
                    trial.fold(event, time)
        trial.as_json(as_of)  # asking changes nothing
    return trial.as_json(as_of)


def first_come(events: Sequence[Json]) -> bool:
    """Whether the first in the log must stand: the same id with other content, or a second source for a record (rules.md §2)."""
    contents: dict[object, Json] = {}
    owners: dict[object, str] = {}
    for event in events:
        content = {key: value for key, value in event.items() if key not in NOT_CONTENT}
        (logged,) = decoded([event])
        record = (event.get("subject"), logged.event.record_kind, logged.event.record_id)
        if contents.setdefault((event.get("subject"), event["source"], event["id"]), content) != content:
            return True
        if owners.setdefault(record, event["source"]) != event["source"]:
            return True
    return False


def in_other_offsets(events: Sequence[Json], offsets: Sequence[int]) -> list[Json]:
    """The events with every instant in them, wherever it stands, written in the offsets by turns."""
    turns = cycle(offsets)

    def rewritten(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rewritten(item) for key, item in value.items()}
        if isinstance(value, list):
            return [rewritten(item) for item in value]
        if isinstance(value, str) and re.match(INSTANT_PATTERN, value):
            return in_offset(parse_instant(value), next(turns))
        return value

    return [rewritten(event) for event in events]
