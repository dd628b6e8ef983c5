"""When a partition halts: bugs in so many subjects, of several sites, that it is not the subjects (design.md).

What one site sends never halts the others: however many of its subjects meet a bug, they are parked one by one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from events.dates import Instant
from projections.folds.alert_transition import alert_id_of
from projections.folds.system_alerts import UNWATCHED, system_transition
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.rows.outbox import publish, published_states
from projections.store.write.batch import EventFailed
from projections.store.write.taking import CannotPark

#: Bugs in a row, without one event judged in between.
RUN_MAX: Final = 5
#: Of these, so many of one site count: less than the whole run, so that it takes two sites at least.
RUN_OF_A_SITE_MAX: Final = 3
#: Bugs among the latest events; of one site half as many count.
SHARE_MAX: Final = 0.2
LOOKED_AT: Final = 50
#: What is remembered of a run: bounded, and more than decides.
RUN_REMEMBERED_MAX: Final = 1_000


class HaltingLimit:
    """Counts what was judged, and what met a bug, by site. Bounded: it looks at the latest events only."""

    def __init__(self) -> None:
        #: Of each event None, or the site of the subject that met a bug.
        self._latest: deque[str | None] = deque(maxlen=LOOKED_AT)
        self._run: deque[str] = deque(maxlen=RUN_REMEMBERED_MAX)

    def judged(self, count: int) -> None:
        """So many events were judged without a bug."""
        if count:
            self._run.clear()
            self._latest.extend([None] * min(count, LOOKED_AT))

    def met_a_bug(self, site: str) -> None:
        """One event of a site was not."""
        self._run.append(site)
        self._latest.append(site)

    @property
    def is_reached(self) -> bool:
        """Whether to stop, rather than park one subject after the other."""
        if _counted(self._run, RUN_OF_A_SITE_MAX) >= RUN_MAX:
            return True
        bugs_max = int(SHARE_MAX * LOOKED_AT)
        latest = _counted((site for site in self._latest if site is not None), bugs_max // 2 + 1)
        return len(self._latest) == LOOKED_AT and latest > bugs_max


def _counted(sites: Iterable[str], of_a_site_max: int) -> int:
    """The bugs, of each site so many at most."""
    return sum(min(count, of_a_site_max) for count in Counter(sites).values())


def tell_of_halt(
    connection: Connection,
    trial: Trial,
    partition: int,
    failure: EventFailed | CannotPark | None,
    now: Instant,
) -> None:
    """Raise the alert that nobody of a partition is being watched; withdraw it, where ``failure`` is None."""
    case = f"{UNWATCHED}@partition-{partition}"
    alert_id = alert_id_of(trial.protocol, case)
    told = published_states(connection, [alert_id]).get(alert_id)
    reasons = None
    if failure is not None:
        reasons = [
            f"no subject of partition {partition} is watched: events cannot be taken ({failure}), and the fault is not one site's"
        ]
    cause = failure.caused_by if isinstance(failure, EventFailed) else EventKey(trial.source, f"partition:{partition}")
    step = system_transition(
        trial.protocol,
        case,
        told,
        reasons,
        cause,
        now,
        questions=["Judge every subject by hand until the software is mended and started again."],
    )
    if step is not None:
        publish(connection, trial, [step])
