"""What has stopped, or has not gone on for a minute, is an alert that leaves over every channel; it is withdrawn once it goes on.

The alert goes the way of every other, through the database. Where that way itself is what stands still, it goes past it: straight
to the channels of those who look after the system.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from events.dates import format_instant
from projections.folds.alert_transition import AlertKind, alert_id_of
from projections.folds.system_alerts import STALLED, system_transition
from projections.folds.trial import Trial
from projections.rules.logic.truth import EventKey
from projections.store.engine.database import Database
from projections.store.rows.outbox import publish, published_states
from services.dispatcher.notice import Notice
from services.platform.resting import rest
from services.platform.time_source import Clock, elapsed_seconds

#: For so long something may stand still before somebody is told.
STALLED_SECONDS_MAX: Final = 60.0
LOOK_SECONDS: Final = 5.0
#: The parts that an alert passes on its way out: where one of them stands still, it would not leave.
STORE: Final = "store"
WAY_OUT: Final = frozenset({"relay", "dispatcher", STORE})
QUESTION: Final = "Look at /readyz and the log of the process; judge by hand what cannot wait."

#: Gives None, or what is wrong, in a sentence.
Check = Callable[[], str | None]
#: Sends one message past the database, and says how many channels took it.
Direct = Callable[[Notice], Awaitable[int]]

log = structlog.get_logger()


class Lasting:
    """A check that says what another says only once it has said something, whatever it was, for so long."""

    def __init__(self, check: Check, seconds: float | None = None) -> None:
        self._check = check
        self._seconds = STALLED_SECONDS_MAX if seconds is None else seconds
        self._since: float | None = None

    def __call__(self) -> str | None:
        """What has been wrong for so long."""
        trouble = self._check()
        now = elapsed_seconds()
        self._since = None if trouble is None else now if self._since is None else self._since
        return trouble if self._since is not None and now - self._since >= self._seconds else None


class StallWatch:
    """Looks now and then at the parts of this process, each by its name. ``direct`` is the way past the database.

    Several processes may watch parts of one name: one of them withdraws what it has told itself, or what it finds as it starts.
    """

    def __init__(
        self,
        database: Database,
        trial: Trial,
        clock: Clock,
        parts: Mapping[str, Check],
        direct: Direct | None = None,
        on_published: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._trial = trial
        self._clock = clock
        self._parts = parts
        self._direct = direct
        self._on_told = on_published
        #: What may be told of still: at the start, whatever another life has left behind.
        self._told: set[str] = set(parts)
        self._told_directly: set[str] = set()

    async def run(self, stopping: asyncio.Event, seconds: float = LOOK_SECONDS) -> None:
        """Look until ``stopping``. Whatever fails, it looks again."""
        while not stopping.is_set():
            for part, trouble in (await asyncio.to_thread(self._troubles)).items():
                try:
                    await self._look(part, trouble)
                except Exception as error:
                    log.error("stall_watch_failed", part=part, exc_info=error)
            await rest(stopping, seconds)

    def _troubles(self) -> dict[str, str | None]:
        """What is wrong with each part; where the store is what they all wait for, with nothing else."""
        found: dict[str, str | None] = {}
        for part, check in self._parts.items():
            try:
                found[part] = check()
            except Exception as error:  # noqa: BLE001 - a check that fails is no reason not to look at the others
                found[part] = f"{part}: cannot be asked how it is ({type(error).__name__})"
        return {STORE: found[STORE]} if found.get(STORE) is not None else found

    async def _look(self, part: str, trouble: str | None) -> None:
        if trouble is None and part not in self._told and part not in self._told_directly:
            return
        is_written = await asyncio.to_thread(self._write, part, trouble)
        if is_written and trouble is None:
            self._told.discard(part)
        elif is_written:
            self._told.add(part)
        if trouble is None:
            if part in self._told_directly and await self._tell_directly(part, "withdrawn"):
                self._told_directly.discard(part)
        elif (not is_written or part in WAY_OUT) and part not in self._told_directly:
            log.critical("stalled", part=part, trouble=trouble)
            if await self._tell_directly(part, "raised"):
                self._told_directly.add(part)

    def _write(self, part: str, trouble: str | None) -> bool:
        """Put the alert, or that it no longer stands, in the outbox; False where nothing can be written."""
        case = STALLED + part
        alert_id = alert_id_of(self._trial.protocol, case)
        reasons = [trouble] if trouble is not None else None
        try:
            with self._database.reading() as connection:
                told = published_states(connection, [alert_id]).get(alert_id)
            is_told = told is not None and told.stands
            if is_told == (trouble is not None):
                return True
            with self._database.writing() as connection:
                told = published_states(connection, [alert_id]).get(alert_id)
                cause = EventKey(self._trial.source, f"part:{part}")
                now = self._clock.now()
                step = system_transition(self._trial.protocol, case, told, reasons, cause, now, questions=[QUESTION])
                publish(connection, self._trial, [step] if step is not None else [])
        except Exception as error:  # noqa: BLE001 - then it is told past the database
            log.error("stall_not_written", part=part, error=error)
            return False
        self._on_told()
        return True

    async def _tell_directly(self, part: str, kind: AlertKind) -> bool:
        if self._direct is None:
            return False
        case = STALLED + part
        notice = Notice(
            alert_id=alert_id_of(self._trial.protocol, case),
            revision=1,
            kind=kind,
            trial=self._trial.protocol.trial,
            subject=None,
            case=case,
            verdict=None,
            clauses={},
            urgency="urgent",
            population=None,
            dose_level=None,
            detected_at=format_instant(self._clock.now()),
        )
        return await self._direct(notice) > 0
