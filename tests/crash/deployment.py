"""The process under test: started as an operator starts it, killed, stopped, and asked how it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NamedTuple

import httpx2

from projections.store.engine.database import Database
from services.gateway.keys import add_key
from services.platform import time_source
from services.platform.settings import DATABASE_FILE
from tests.crash.receivers import Receivers

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 60.0
POLL_SECONDS: Final = 0.02

#: What is logged only where something failed that nobody foresaw.
UNFORESEEN: Final = frozenset({"loop_failed", "loop_halted", "dispatcher_failed", "channel_broke"})


class Ending(Enum):
    """How the process ended."""

    KILLED = "killed"
    STOPPED = "stopped"


class Health(NamedTuple):
    """What the process says of itself."""

    alive: int
    ready: int
    reasons: list[str]


def eventually(
    holds: Callable[[], object], seconds: float = 30.0, otherwise: Callable[[], object] = lambda: ""
) -> None:
    """Wait until something holds; where it does not come to hold, fail with what ``otherwise`` says."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {otherwise() or holds}"
        time.sleep(POLL_SECONDS)


class Deployment:
    """One data directory, and one process after the other on it. Each life of the process is an *epoch*, counted from 1.

    ``url`` is where the gateway listens, None while it does not.
    """

    def __init__(self, home: Path, receivers: Receivers, data: Path | None = None) -> None:
        self.home = home
        self.data = data or home / "data"
        self.receivers = receivers
        self.endings: list[Ending] = []
        self.options: list[str] = []
        self.environment: dict[str, str] = {}
        self.program: list[str] = ["services.cli.main"]
        self.url: str | None = None
        self._metrics: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Deployment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._ended(Ending.KILLED)

    @property
    def epoch(self) -> int:
        """The number of the present life, or of the next one where there is none."""
        return len(self.endings) + 1

    @property
    def kills(self) -> int:
        """How many lives have ended by a kill."""
        return self.endings.count(Ending.KILLED)

    @property
    def database_url(self) -> str:
        """The database, for whoever looks into it from outside."""
        return self.environment.get("TOXWATCH_DATABASE") or f"sqlite:///{self.data / DATABASE_FILE}"

    def begin(self, kill_at: str | None = None) -> None:
        """Start the process, and do not wait. ``kill_at``, a ``STEP:N``: where it is to kill itself."""
        assert self._process is None, "one at a time"
        recipients = self.receivers.write_file(self.home, self.epoch)
        self._log = self.log_file(self.epoch).open("wb")
        program = self.program if kill_at is None else ["tests.crash.killed_run", kill_at]
        options = ["--data", str(self.data), "--recipients", str(recipients), *self.options]
        addresses = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *program, "run", *options, *addresses],
            cwd=ROOT,
            env={**_without_settings(os.environ), **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )

    def start(self) -> None:
        """Start the process, and wait until it is ready."""
        self.begin()
        assert self.await_listening(), f"it did not start: {self._said(self.epoch)}"
        eventually(lambda: self.health().ready == 200, START_SECONDS_MAX, self.health)

    def await_listening(self) -> bool:
        """Wait until it listens; False where it has ended before."""
        addresses: dict[str, str] = {}

        def known() -> bool:
            addresses.update({str(line["role"]): str(line["address"]) for line in self._lines("listening")})
            return len(addresses) == 2 or self.has_ended

        eventually(known, START_SECONDS_MAX, lambda: self._said(self.epoch))
        if len(addresses) == 2 and not self.has_ended:
            self.url, self._metrics = f"http://{addresses['gateway']}", f"http://{addresses['metrics']}"
        return self.url is not None

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone, though nobody has noticed yet."""
        return self._process is None or self._process.poll() is not None

    def pause(self, seconds: float) -> None:
        """Let it live for a while."""
        time.sleep(seconds)

    def kill(self) -> None:
        """SIGKILL: what a power failure leaves behind, save what the disk itself loses."""
        assert self._process is not None, "it runs"
        self._process.kill()
        self._ended(Ending.KILLED)

    def await_own_death(self, seconds: float = 60.0) -> None:
        """Wait until it has killed itself at its step."""
        eventually(lambda: self.has_ended, seconds, lambda: "the step was not reached")
        code = self._ended(Ending.KILLED)
        assert code == -signal.SIGKILL, f"ended by itself with {code}: {self._said(self.epoch - 1)}"

    def stop(self) -> None:
        """SIGTERM, and wait until it has come to its end in good order."""
        assert self._process is not None, "it runs"
        self._process.terminate()
        code = self._ended(Ending.STOPPED)
        assert code == 0, f"ended with {code}: {self._said(self.epoch - 1)}"

    def health(self) -> Health:
        """Ask ``/healthz`` and ``/readyz``."""
        assert self._metrics is not None, "it listens"
        alive = httpx2.get(f"{self._metrics}/healthz", timeout=START_SECONDS_MAX)
        ready = httpx2.get(f"{self._metrics}/readyz", timeout=START_SECONDS_MAX)
        return Health(alive.status_code, ready.status_code, ready.json()["reasons"])

    def make_keys(self, sites: list[str], sponsor: str | None = None) -> dict[str, str]:
        """A key for each site, and one for the sponsor under that name."""
        with self.database() as opened, opened.writing() as connection:
            now = time_source.now()
            keys = {site: add_key(connection, "site", site, "crash", now).text for site in sites}
            if sponsor is not None:
                keys[sponsor] = add_key(connection, "sponsor", None, "crash", now).text
        return keys

    def database(self) -> OpenDatabase:
        """The database, opened beside the process for a while."""
        return OpenDatabase(self.database_url)

    def log_file(self, epoch: int) -> Path:
        """What the process said in one of its lives."""
        return self.home / f"epoch-{epoch}.ndjson"

    def logged(self) -> Iterator[dict[str, Any]]:
        """Every line that was logged, over all its lives."""
        for epoch in range(1, self.epoch + 1):
            yield from _lines_of(self.log_file(epoch))

    def unforeseen(self) -> list[dict[str, Any]]:
        """What was logged of failures that nobody foresaw."""
        return [line for line in self.logged() if line.get("event") in UNFORESEEN or "exception" in line]

    def _said(self, epoch: int) -> str:
        return self.log_file(epoch).read_text()[-2000:]

    def _lines(self, event: str) -> list[dict[str, Any]]:
        return [line for line in _lines_of(self.log_file(self.epoch)) if line.get("event") == event]

    def _ended(self, ending: Ending) -> int:
        assert self._process is not None, "it runs"
        assert self._log is not None, "and says so"
        self.url = self._metrics = None
        try:
            code = self._process.wait(STOP_SECONDS_MAX)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._log.close()
            self.endings.append(ending)
        return code


class OpenDatabase:
    """A database that is closed after use."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("TOXWATCH_")}


def _lines_of(file: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a log; the last may be half written."""
    if not file.exists():
        return
    for raw in file.read_bytes().splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line
