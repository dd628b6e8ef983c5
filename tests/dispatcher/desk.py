"""A dispatcher at work in a test: started on a trial's database, turned on by the clock, stopped or killed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.database import Database
from projections.store.engine.tables import metadata
from services.dispatcher.dispatcher import Dispatcher
from services.dispatcher.recipients import Recipients
from services.platform.fail_points import nothing
from tests.dispatcher.alerts import SOURCE, AlertingTrial

PUBLIC_URL = "https://tox.example.org"


class Killed(BaseException):
    """As if the process had been killed: nothing catches it on the way."""


class Measured:
    """Keeps what was observed."""

    def __init__(self) -> None:
        self.attempts: list[tuple[str, str]] = []

    def deliveries_total(self, channel: str, outcome: str) -> None:
        self.attempts.append((channel, outcome))


class Desk:
    """A running dispatcher with the trial that it works for."""

    def __init__(
        self,
        trial: AlertingTrial,
        recipients: Recipients,
        fail_point: Callable[[str], None] = nothing,
        measured: Measured | None = None,
        *,
        is_alone: bool = True,
    ) -> None:
        self.trial = trial
        self.console = io.StringIO()
        self.measured = measured or Measured()
        self.dispatcher = Dispatcher(
            trial.database,
            trial.log,
            Trial(PROTOCOL, SOURCE),
            trial.clock,
            recipients,
            PUBLIC_URL + "/",
            self.measured,
            fail_point,
            console=self.console,
            is_alone=is_alone,
        )

    async def comes_to(self, condition: Callable[[], bool], seconds: float = 10.0, tick: int = 0) -> None:
        """Work until the condition holds, alerts about deliveries relayed and the clock turned by ``tick`` on the way."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.to_thread(self.trial.relay)
                if tick:
                    self.trial.clock.turn(tick)
                self.dispatcher.wake()
                await asyncio.sleep(0.01)

    async def after(self, span: int, condition: Callable[[], bool]) -> None:
        """Turn the clock on, and work until the condition holds."""
        self.trial.clock.turn(span)
        await self.comes_to(condition)

    async def is_at_rest(self) -> None:
        """Work until nothing more happens at this instant: several turns in which nothing is written."""
        before = None
        for _ in range(200):
            self.trial.relay()
            self.dispatcher.wake()
            await asyncio.sleep(0.03)
            state = (self.trial.rows(), self.trial.attempts(), self.trial.told())
            if state == before:
                return
            before = state
        raise AssertionError("it does not come to rest")


@asynccontextmanager
async def at_work(
    trial: AlertingTrial,
    recipients: Recipients,
    fail_point: Callable[[str], None] = nothing,
    measured: Measured | None = None,
    *,
    is_alone: bool = True,
) -> AsyncIterator[Desk]:
    """A dispatcher that works, and is stopped in order."""
    desk = Desk(trial, recipients, fail_point, measured, is_alone=is_alone)
    stop = asyncio.Event()
    running = asyncio.create_task(desk.dispatcher.run(stop))
    try:
        yield desk
    finally:
        stop.set()
        await running


@contextmanager
def trial_in(directory: Path) -> Iterator[AlertingTrial]:
    """A trial whose database is closed afterwards."""
    database = Database(f"sqlite:///{directory / 'toxwatch.db'}")
    metadata.create_all(database.engine)
    try:
        yield AlertingTrial(database)
    finally:
        database.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, and fail where it never does."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
