"""Loops that run for as long as the process does, each in a thread of its own.

A loop never ends by itself: where the database is down it waits, longer each time, and goes on; an error that nobody foresaw is
logged, told to whoever asks for the state, and the work tried again. Only a halt (see the monitor) ends it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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
    """Calls ``work`` until it is stopped: at once again while it did something, else when woken, or after ``idle_seconds``.

    ``on_unavailable`` is told the loop's name each time the database could not be used.
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
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._beat = elapsed_seconds()
        self._good_at = self._beat
        self._has_ended = False
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop(self, seconds: float = 10.0) -> None:
        """Let it finish what it is doing, and end."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

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

    def _run(self) -> None:
        pause = PAUSE_SECONDS_MIN
        while not self._stopping:
            self._beat = elapsed_seconds()
            self._wake.clear()
            try:
                busy = self._work()
                idle = 0.0 if busy else self._idle_seconds()
            except LoopEnded as end:
                self._trouble = f"halted: {end}"
                self._has_ended = True
                log.critical("loop_halted", loop=self.name, trouble=str(end))
                return
            except StoreUnavailable as error:
                self._on_unavailable(self.name)
                self._report(f"waiting for {error.waits_for} ({error})")
            except Exception as error:
                log.exception("loop_failed", loop=self.name)
                self._report(f"failed with {type(error).__name__}, and is tried again")
            else:
                if self._trouble is not None:
                    log.info("loop_recovered", loop=self.name)
                self._trouble, pause = None, PAUSE_SECONDS_MIN
                self._good_at = elapsed_seconds()
                if idle > 0:
                    self._wake.wait(idle)
                continue
            self._wake.wait(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    def _report(self, trouble: str) -> None:
        if self._trouble is None:
            log.error("loop_in_trouble", loop=self.name, trouble=trouble)
        self._trouble = trouble
