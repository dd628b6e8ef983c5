"""Requests that come at the same time are committed together: one transaction, one fsync, for as many as are waiting.

One task hands them, in the order in which they came, to the :class:`~services.gateway.intake.Intake`, which works in a thread
of its own. A sender is answered once the transaction with its events is committed, and never before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from projections.store.database import StoreUnavailable
from services.gateway.intake import Intake, Result, Submission, Taking
from services.gateway.problems import Overloaded

#: How many events are committed together at most, save those of one request.
GROUP_EVENTS_MAX: Final = 2_000
#: What may wait; more is turned away, to be sent again.
WAITING_REQUESTS_MAX: Final = 1_000
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024


def nobody() -> None:
    """Whom to tell where nobody wants to know."""


class _Waiting:
    """One request that waits for its commit."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.bytes = sum(len(message.raw) for message in submission.messages)
        self.done: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()

    def answer(self, results: list[Result]) -> None:
        if not self.done.done():
            self.done.set_result(results)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class EventWriter:
    """The queue before an intake. ``on_appended`` and ``on_told`` are called when there is something new in the log or outbox."""

    def __init__(
        self, intake: Intake, on_appended: Callable[[], None] = nobody, on_told: Callable[[], None] = nobody
    ) -> None:
        self._intake = intake
        self._on_appended = on_appended
        self._on_told = on_told
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._stopping = False
        self._running = False

    async def submit(self, submission: Submission) -> list[Result]:
        """What became of each event, once that is durable. Raises ``StoreUnavailable`` or ``Overloaded``."""
        waiting = _Waiting(submission)
        if (
            self._stopping
            or len(self._waiting) >= WAITING_REQUESTS_MAX
            or self._bytes + waiting.bytes > WAITING_BYTES_MAX
        ):
            raise Overloaded("too much is waiting to be written; send the same again")
        self._waiting.append(waiting)
        self._bytes += waiting.bytes
        self._arrived.set()
        return await waiting.done

    def trouble(self) -> str | None:
        """Why nothing is written, in a sentence; None while it is."""
        return None if self._running else "gateway: the writer of events does not run"

    async def run(self) -> None:
        """Commit what waits, until :meth:`stop`; what is waiting then is committed still."""
        self._running = True
        try:
            await self._run()
        finally:
            self._running = False

    async def _run(self) -> None:
        with ThreadPoolExecutor(1, thread_name_prefix="intake") as thread:
            while True:
                group = self._next_group()
                if group:
                    await self._commit(group, thread)
                elif self._stopping:
                    return
                else:
                    self._arrived.clear()
                    await self._arrived.wait()

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping = True
        self._arrived.set()

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        events = 0
        while self._waiting and (not group or events + len(self._waiting[0].submission.messages) <= GROUP_EVENTS_MAX):
            waiting = self._waiting.popleft()
            self._bytes -= waiting.bytes
            events += len(waiting.submission.messages)
            group.append(waiting)
        return group

    async def _commit(self, group: Sequence[_Waiting], thread: ThreadPoolExecutor) -> None:
        batch = [waiting.submission for waiting in group]
        try:
            taking = await asyncio.get_running_loop().run_in_executor(thread, self._intake.take, batch)
        except StoreUnavailable as error:
            for waiting in group:
                waiting.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug that one request met is raised where it is answered
            await self._one_by_one(group, thread, error)
        else:
            self._answer(group, taking)

    async def _one_by_one(self, group: Sequence[_Waiting], thread: ThreadPoolExecutor, error: Exception) -> None:
        """Something failed that nobody foresaw: find whose request it was, and let the others through."""
        structlog.get_logger().error("intake_failed", count=len(group), exc_info=error)
        if len(group) == 1:
            group[0].fail(error)
            return
        for waiting in group:
            await self._commit([waiting], thread)

    def _answer(self, group: Sequence[_Waiting], taking: Taking) -> None:
        for waiting, results in zip(group, taking.results, strict=True):
            waiting.answer(results)
        if taking.appended:
            self._on_appended()
        if taking.told:
            self._on_told()
