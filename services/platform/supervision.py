"""Work that is done again and again for as long as the process runs, each piece of it as a loop, by a few threads for all.

A loop never ends by itself: where the database is down it waits, longer each time, and goes on; an error that nobody foresaw is
logged, shown as the loop's trouble, and the work tried again. Only a halt (see the monitor) ends it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from projections.store.engine.database import StoreUnavailable
from services.platform.time_source import elapsed_seconds

PAUSE_SECONDS_MIN: Final = 0.05
PAUSE_SECONDS_MAX: Final = 5.0
#: A loop that has not come round for so long is stuck.
STUCK_SECONDS: Final = 60.0

log = structlog.get_logger()


class LoopEnded(Exception):  # noqa: N818 - reads better where it is raised
    """The work is not to be tried again; why is for the operator."""


class Loop:
    """Does ``work``: at once again while it did something, else when woken, or after ``idle_seconds``.

    ``on_unavailable`` is called with the loop's name each time the database could not be used.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], bool],
        idle_seconds: Callable[[], float],
        on_unavailable: Callable[[str], None],
    ) -> None:
        self.name: Final = name
        self._work = work
        self._idle_seconds = idle_seconds
        self._on_unavailable = on_unavailable
        self._on_wake: Callable[[Loop], None] = lambda _loop: None
        self._pause = PAUSE_SECONDS_MIN
        self._beat = elapsed_seconds()
        self._good_at = self._beat
        self._has_ended = False
        self._trouble: str | None = None

    def wake(self) -> None:
        """There may be something to do. To be called from any thread."""
        self._on_wake(self)

    def done_by(self, on_wake: Callable[[Loop], None]) -> None:
        """Whose threads do the work from now on: ``on_wake`` is called when it is woken."""
        self._on_wake = on_wake
        self._beat = self._good_at = elapsed_seconds()

    def trouble(self) -> str | None:
        """Why it does not do its work, in a sentence; None while it does."""
        if self._trouble is not None:
            return f"{self.name}: {self._trouble}"
        silent = elapsed_seconds() - self._beat
        return f"{self.name}: has not come round for {silent:.0f} s" if silent > STUCK_SECONDS else None

    def stalled(self) -> str | None:
        """The same, once it has ended, or has done nothing for a minute."""
        is_lasting = elapsed_seconds() - self._good_at > STUCK_SECONDS
        return self.trouble() if self._has_ended or is_lasting else None

    def come_round(self) -> float | None:
        """Do the work once. Gives after how many seconds to come again, unless woken before; None: never again."""
        self._beat = elapsed_seconds()
        try:
            busy = self._work()
            idle = 0.0 if busy else max(0.0, self._idle_seconds())
        except LoopEnded as end:
            self._trouble = f"halted: {end}"
            self._has_ended = True
            log.critical("loop_halted", loop=self.name, trouble=str(end))
            return None
        except StoreUnavailable as error:
            self._on_unavailable(self.name)
            self._report(f"waiting for {error.waits_for} ({error})")
        except Exception as error:
            log.exception("loop_failed", loop=self.name)
            self._report(f"failed with {type(error).__name__}, and is tried again")
        else:
            if self._trouble is not None:
                log.info("loop_recovered", loop=self.name)
            self._trouble, self._pause = None, PAUSE_SECONDS_MIN
            self._good_at = elapsed_seconds()
            return idle
        pause = self._pause
        self._pause = min(pause * 2, PAUSE_SECONDS_MAX)
        return pause

    def _report(self, trouble: str) -> None:
        if self._trouble is None:
            log.error("loop_in_trouble", loop=self.name, trouble=trouble)
        self._trouble = trouble


class Workers:
    """A few threads that do the work of any number of loops: a loop that waits costs nothing.

    No loop is done by two threads at once. One that is busy goes to the end of the queue each time it has come round, so that a
    flood for one does not keep the others waiting; one that hangs keeps one thread.
    """

    def __init__(self, loops: Sequence[Loop], threads: int | None = None) -> None:
        self._loops = tuple(loops)
        self._changed = threading.Condition()
        self._ready: deque[Loop] = deque(loops)
        self._due: dict[Loop, float] = {}
        self._woken: set[Loop] = set()
        self._stopping = False
        count = len(self._loops) if threads is None else threads
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True) for number in range(1, count + 1)
        ]

    def start(self) -> None:
        """Begin."""
        for loop in self._loops:
            loop.done_by(self._wake)
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """Let each finish what it is doing, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        until = elapsed_seconds() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - elapsed_seconds()))

    def _wake(self, loop: Loop) -> None:
        with self._changed:
            if loop in self._due:
                del self._due[loop]
                self._ready.append(loop)
                self._changed.notify()
            elif loop not in self._ready:
                # It is being done: what it was woken for may have come after it has looked.
                self._woken.add(loop)

    def _run(self) -> None:
        while (loop := self._next()) is not None:
            seconds = loop.come_round()
            with self._changed:
                self._put_back(loop, seconds)

    def _put_back(self, loop: Loop, seconds: float | None) -> None:
        is_woken = loop in self._woken
        self._woken.discard(loop)
        if seconds is None:
            return
        if seconds == 0.0 or is_woken:
            self._ready.append(loop)
        else:
            self._due[loop] = elapsed_seconds() + seconds
        self._changed.notify()

    def _next(self) -> Loop | None:
        """The loop whose turn it is, waited for; None: the end."""
        with self._changed:
            while not self._stopping:
                now = elapsed_seconds()
                for loop in [loop for loop, due in self._due.items() if due <= now]:
                    del self._due[loop]
                    self._ready.append(loop)
                if self._ready:
                    return self._ready.popleft()
                first = min(self._due.values(), default=None)
                self._changed.wait(None if first is None else max(0.0, first - now))
            return None
