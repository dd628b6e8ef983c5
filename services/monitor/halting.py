"""When a partition halts: bugs in so many subjects that it is not the subjects (DESIGN, "a bug")."""

from __future__ import annotations

from collections import deque
from typing import Final

from sqlalchemy import Connection

from events.dates import Instant
from events.identity import derived_id
from projections.folds.system_alerts import UNWATCHED, system_transition
from projections.rules.protocol import Protocol
from projections.rules.truth import EventRef
from projections.store.apply import EventFailed
from projections.store.told import tell, told_of

#: Bugs in a row, without one event judged in between.
RUN_MAX: Final = 5
#: Bugs among the latest events.
SHARE_MAX: Final = 0.2
LOOKED_AT: Final = 50


class HaltingLimit:
    """Counts what was judged and what met a bug. Bounded: it looks at the latest events only."""

    def __init__(self) -> None:
        self._latest: deque[bool] = deque(maxlen=LOOKED_AT)
        self._run = 0

    def judged(self, count: int) -> None:
        """So many events were judged without a bug."""
        if count:
            self._run = 0
            self._latest.extend([False] * min(count, LOOKED_AT))

    def met_a_bug(self) -> None:
        """One event was not."""
        self._run += 1
        self._latest.append(True)

    @property
    def is_reached(self) -> bool:
        """Whether to stop, rather than park one subject after the other."""
        if self._run >= RUN_MAX:
            return True
        return len(self._latest) == LOOKED_AT and sum(self._latest) > SHARE_MAX * LOOKED_AT


def tell_of_halt(
    connection: Connection, protocol: Protocol, source: str, partition: int, failed: EventFailed | None, now: Instant
) -> None:
    """Raise the alert that nobody of a partition is being watched; withdraw it, where ``failed`` is None."""
    case = f"{UNWATCHED}@partition-{partition}"
    alert_id = derived_id(protocol.trial, case)
    told = told_of(connection, [alert_id]).get(alert_id)
    reasons = None
    if failed is not None:
        reasons = [
            f"judging fails for one subject after the other ({failed}): no subject of partition {partition} is watched"
        ]
    cause = failed.caused_by if failed is not None else EventRef(source, f"partition:{partition}")
    step = system_transition(
        protocol,
        case,
        told,
        reasons,
        cause,
        now,
        questions=["Judge every subject by hand until the software is mended and started again."],
    )
    if step is not None:
        tell(connection, protocol, source, [step])
