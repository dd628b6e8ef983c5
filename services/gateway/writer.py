"""Requests that come at the same time are committed together: one transaction, one fsync, for as many as are waiting.

One task hands them to the :class:`~services.gateway.intake.Intake`, which works in a thread of its own. Every key has its queue,
and each commit takes as much of every queue as is fair: a key that sends little is not kept waiting by one that floods, whose
large requests are written piece by piece. A sender is answered once all of its events are committed, and never before.

Where judging falls behind, less is taken at a time. Entries before an event in the log are judged before it: a flood that is
taken faster than it is judged would delay everybody's alerts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, NamedTuple

import structlog

from projections.store.engine.database import StoreUnavailable
from services.gateway.intake import Intake, IntakeResult, Submission, Taking
from services.http.problems import Overloaded
from services.platform.time_source import elapsed_seconds

#: How many events are committed together at most.
GROUP_EVENTS_MAX: Final = 2_000
#: Fewer where the machine is slow: a request that comes during a commit should wait no longer than about this.
COMMIT_SECONDS: Final = 0.25
GROUP_EVENTS_MIN: Final = 400
#: A request of no more events than this is never cut in two.
WHOLE_EVENTS_MAX: Final = 20
#: How far judging may be behind before less is taken: with so many events before it, an event is judged within a second.
BEHIND_MAX: Final = 1_000
#: While it is behind: so many events a commit, fewer the further it is, and a pause after each that was full.
BEHIND_EVENTS_MAX: Final = 100
BEHIND_EVENTS_MIN: Final = 50
BEHIND_PAUSE_SECONDS: Final = 0.1
#: What may wait; more is turned away, to be sent again. A key with next to nothing waiting is let in all the same.
WAITING_REQUESTS_MAX: Final = 1_000
FEW_REQUESTS: Final = 4


def nobody() -> None:
    """Whom to tell where nobody wants to know."""


def not_behind() -> int:
    """How far judging is behind, where that is not known here."""
    return 0


class _Waiting:
    """One request that waits for its commits. ``begun``: how many of its events have been handed on."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.begun = 0
        self.results: list[IntakeResult] = []
        self.done: asyncio.Future[list[IntakeResult]] = asyncio.get_running_loop().create_future()

    @property
    def left(self) -> int:
        """How many of its events nobody has taken up yet."""
        return len(self.submission.messages) - self.begun

    def part(self, at_most: int) -> _RequestPart:
        """The next of its events."""
        start, self.begun = self.begun, min(self.begun + at_most, len(self.submission.messages))
        return _RequestPart(self, self.submission._replace(messages=self.submission.messages[start : self.begun]))

    def add(self, results: Sequence[IntakeResult]) -> None:
        """What became of a part. With the last one it is answered."""
        self.results.extend(results)
        if len(self.results) == len(self.submission.messages) and not self.done.done():
            self.done.set_result(self.results)

    def fail(self, error: Exception) -> None:
        """A part of it could not be taken: its sender sends all of it again, and what was taken is a duplicate then."""
        self.give_up()
        if not self.done.done():
            self.done.set_exception(error)

    def give_up(self) -> None:
        """Nothing more of it is taken up."""
        self.begun = len(self.submission.messages)


class _RequestPart(NamedTuple):
    """Some of a request's events, in the order in which they came."""

    waiting: _Waiting
    submission: Submission


class EventWriter:
    """The queues before an intake. ``on_appended`` and ``on_published`` are called when something is new in the log or outbox.

    ``behind`` says how many entries of the log have not been judged; called in the intake's thread.
    """

    def __init__(
        self,
        intake: Intake,
        on_appended: Callable[[], None] = nobody,
        on_published: Callable[[], None] = nobody,
        behind: Callable[[], int] = not_behind,
    ) -> None:
        self._intake = intake
        self._ask_behind = behind
        self._behind = 0
        self._on_appended = on_appended
        self._on_told = on_published
        self._queues: dict[str, deque[_Waiting]] = {}
        self._count = 0
        self._arrived = asyncio.Event()
        self._stopping = False
        self._running = False
        self._failures = 0
        self._failing_since = 0.0
        self._room = GROUP_EVENTS_MAX

    async def submit(self, submission: Submission) -> list[IntakeResult]:
        """What became of each event, once that is durable. Raises ``StoreUnavailable`` or ``Overloaded``.

        Cancelled, what was not handed on before is left out.
        """
        key_id = submission.caller.key_id
        mine = len(self._queues.get(key_id, ()))
        if self._stopping or (self._count >= WAITING_REQUESTS_MAX and mine >= FEW_REQUESTS):
            raise Overloaded("too much is waiting to be written; send the same again")
        waiting = _Waiting(submission)
        if not submission.messages:
            return []
        self._queues.setdefault(key_id, deque()).append(waiting)
        self._count += 1
        self._arrived.set()
        try:
            return await waiting.done
        finally:
            waiting.give_up()
            self._count -= 1

    def trouble(self) -> str | None:
        """Why nothing is written, in a sentence; None while it is."""
        if not self._running:
            return "gateway: the writer of events does not run"
        failures = self._failures
        if failures:
            seconds = elapsed_seconds() - self._failing_since
            return (
                f"gateway: events cannot be written since {seconds:.0f} s; {failures} requests were answered 503; this is said"
                " until one is written"
            )
        return None

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
                group = self._next_group(room_for(self._room, self._behind))
                if group:
                    await self._commit(group, thread)
                    if self._behind > BEHIND_MAX and self._queues:
                        await asyncio.sleep(BEHIND_PAUSE_SECONDS)
                elif self._stopping:
                    return
                else:
                    self._arrived.clear()
                    await self._arrived.wait()

    def stop(self) -> None:
        """Take nothing more."""
        self._stopping = True
        self._arrived.set()

    def _take(self, batch: Sequence[Submission]) -> Taking:
        taking = self._intake.take(batch)
        with suppress(StoreUnavailable):  # what was taken is taken
            self._behind = self._ask_behind()
        return taking

    def _next_group(self, room: int) -> list[_RequestPart]:
        """What is committed next: of every key its share, of each key in the order in which it came."""
        waiting = {key_id: sum(one.left for one in queue) for key_id, queue in self._queues.items()}
        group: list[_RequestPart] = []
        for key_id, share in fair_shares(waiting, room).items():
            group.extend(_taken(self._queues[key_id], share))
        # Who had no turn, where there are more keys than events in a commit, is the first of the next.
        self._queues = {key_id: queue for key_id, queue in self._rotated(room) if queue}
        return group

    def _rotated(self, first: int) -> list[tuple[str, deque[_Waiting]]]:
        queues = list(self._queues.items())
        return queues[first:] + queues[:first]

    def _adapt(self, events: int, seconds: float) -> None:
        """Take as many events next time as this commit would have taken in the time that one should take."""
        if seconds > COMMIT_SECONDS:
            self._room = max(GROUP_EVENTS_MIN, min(self._room, int(events * COMMIT_SECONDS / seconds)))
        else:
            self._room = min(GROUP_EVENTS_MAX, self._room * 2)

    async def _commit(self, group: Sequence[_RequestPart], thread: ThreadPoolExecutor) -> None:
        batch = [part.submission for part in group]
        began = elapsed_seconds()
        try:
            taking = await asyncio.get_running_loop().run_in_executor(thread, self._take, batch)
        except StoreUnavailable as error:
            if not self._failures:
                self._failing_since = elapsed_seconds()
            self._failures += len(group)
            for part in group:
                part.waiting.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug that one request met is raised where it is answered
            await self._one_by_one(group, thread, error)
        else:
            self._failures = 0
            self._adapt(sum(len(one.messages) for one in batch), elapsed_seconds() - began)
            self._answer(group, taking)

    async def _one_by_one(self, group: Sequence[_RequestPart], thread: ThreadPoolExecutor, error: Exception) -> None:
        """Something failed that nobody foresaw: find whose request it was, and let the others through."""
        structlog.get_logger().error("intake_failed", count=len(group), exc_info=error)
        if len(group) == 1:
            group[0].waiting.fail(error)
            return
        for part in group:
            await self._commit([part], thread)

    def _answer(self, group: Sequence[_RequestPart], taking: Taking) -> None:
        for part, results in zip(group, taking.results, strict=True):
            part.waiting.add(results)
        if taking.appended:
            self._on_appended()
        if taking.told:
            self._on_told()


def room_for(room: int, behind: int) -> int:
    """How many events the next commit takes: fewer where judging is behind."""
    if behind <= BEHIND_MAX:
        return room
    return max(BEHIND_EVENTS_MIN, min(room, BEHIND_EVENTS_MAX * BEHIND_MAX // behind))


def fair_shares(waiting: Mapping[str, int], room: int) -> dict[str, int]:
    """How much of the room each gets: as much as it wants, or as the others leave who want more than an equal share.

    In the order given; where there are more than the room, the first of them get one each.
    """
    wanting = dict(list(waiting.items())[:room])
    shares = {}
    for number, (name, wanted) in enumerate(sorted(wanting.items(), key=lambda item: item[1])):
        shares[name] = min(wanted, room // (len(wanting) - number))
        room -= shares[name]
    return {name: shares[name] for name in wanting}


def _taken(queue: deque[_Waiting], share: int) -> list[_RequestPart]:
    """So many events from the front of a queue, or a few more: small requests are not cut."""
    parts: list[_RequestPart] = []
    while queue and share > 0:
        waiting = queue[0]
        if waiting.left:
            wanted = waiting.left if waiting.left <= WHOLE_EVENTS_MAX else share
            parts.append(waiting.part(wanted))
            share -= len(parts[-1].submission.messages)
        if not waiting.left:
            queue.popleft()
    return parts
