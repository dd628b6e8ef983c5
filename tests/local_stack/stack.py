"""The services as processes: started in the order of what they depend on, watched, started again, and ended in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.local_stack.compose import Service
from tests.local_stack.places import HERE, Places
from tests.local_stack.programs import NotInstalled, Program, check_of, program_of

READY_SECONDS_MAX: Final = 180.0
POLL_SECONDS: Final = 0.2
CHECK_SECONDS: Final = 1.0
#: As docker does: the pause before a new start doubles, and is short again after a while that went well.
PAUSE_SECONDS: Final = (0.1, 60.0)
WENT_WELL_SECONDS: Final = 10.0


class StackError(Exception):
    """What was started cannot come to be ready."""


class Running:
    """One service, and one process of it after the other."""

    def __init__(self, service: Service, program: Program, check: Program | None, log: Path) -> None:
        self.service: Final = service
        self.is_healthy = False
        self._program = program
        self._check = check
        self._log = log
        self._pause = PAUSE_SECONDS[0]
        self._start_at: float | None = None
        self._checked_at = 0.0
        self.process = self._begin()

    @property
    def code(self) -> int | None:
        """How it ended; None while it runs."""
        return self.process.poll()

    @property
    def said(self) -> str:
        """The end of what it has said."""
        return self._log.read_text(errors="replace")[-3000:]

    def watch(self) -> str | None:
        """Start it again where it has ended and is to run; say so when it has just ended."""
        if self.code is None or self.service.is_once:
            return None
        now = time.monotonic()
        if self._start_at is None:
            went_well = now - self._begun_at > WENT_WELL_SECONDS
            self._pause = PAUSE_SECONDS[0] if went_well else min(self._pause * 2, PAUSE_SECONDS[1])
            self._start_at = now + self._pause
            self.is_healthy = False
            return f"ended with {self.code}, and is started again in {self._pause:.1f} s"
        if now >= self._start_at:
            self._start_at = None
            self.process = self._begin()
        return None

    def is_done(self, condition: str, port: int | None) -> bool:
        """Whether it has come to what another service waits for."""
        if condition == "service_completed_successfully":
            return self.code == 0
        if not self.is_healthy and time.monotonic() - self._checked_at > CHECK_SECONDS:
            self.is_healthy = self.code is None and (_succeeds(self._check) if self._check else _listens(port))
            self._checked_at = time.monotonic()
        return self.is_healthy

    def end(self) -> None:
        """As docker ends it: its signal, its time, and SIGKILL after that."""
        if self.code is None:
            self.process.send_signal(signal.Signals[self.service.stop_signal])
        try:
            self.process.wait(self.service.grace_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _begin(self) -> subprocess.Popen[bytes]:
        self._begun_at = time.monotonic()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOXWATCH_")}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._program.argv,
                env={**kept, **self._program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._program.options,
            )


class Stack:
    """All services. ``stopping`` ends whatever is waited for."""

    def __init__(self, services: Sequence[Service], places: Places, tell: Callable[[str], None]) -> None:
        self.stopping: Final = threading.Event()
        self.running: Final[dict[str, Running]] = {}
        self._services = services
        self._places = places
        self._tell = tell

    def start(self) -> None:
        """Start each when what it depends on is there, and wait until all are ready."""
        for service in self._services:
            for name, condition in service.depends_on.items():
                self._await(name, condition)
            if self.stopping.is_set():
                return
            self._places.lay(service)
            try:
                program = program_of(service, self._places)
            except NotInstalled as lacking:
                if any(service.name in other.depends_on for other in self._services):
                    raise StackError(f"{service.name} needs {lacking}") from None
                self._tell(f"{service.name}: left out, since here is no {lacking}")
                continue
            check = check_of(service, self._places)
            self.running[service.name] = Running(service, program, check, self._places.log(service))
            self._tell(f"{service.name}: started")
        for name, running in self.running.items():
            self._await(name, "service_completed_successfully" if running.service.is_once else "service_healthy")

    def watch(self) -> None:
        """Start again what has ended, until ``stopping``."""
        while not self.stopping.wait(POLL_SECONDS):
            self._watch_all()

    def end(self) -> None:
        """End all, those first on which nothing depends."""
        for name in reversed(self.running):
            self.running[name].end()
            if not self.running[name].service.is_once:
                self._tell(f"{name}: ended with {self.running[name].code}")

    def port(self, service: Service) -> int | None:
        """Where it is reached, where it is."""
        ports = [*service.published]
        return self._places.addresses.port(service.name, ports[0]) if ports else None

    def _await(self, name: str, condition: str) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        running = self.running[name]
        while not running.is_done(condition, self.port(running.service)):
            self._watch_all()
            is_over = running.service.is_once and running.code is not None
            if is_over or time.monotonic() > deadline:
                raise StackError(f"{name} does not come to {condition}: {running.said}")
            if self.stopping.wait(POLL_SECONDS):
                return

    def _watch_all(self) -> None:
        for name, running in self.running.items():
            if news := running.watch():
                self._tell(f"{name}: {news}")


def _succeeds(check: Program) -> bool:
    environment: Mapping[str, str] = {**os.environ, **check.environment}
    return subprocess.run(check.argv, env=environment, capture_output=True, check=False).returncode == 0


def _listens(port: int | None) -> bool:
    if port is None:
        return True
    try:
        socket.create_connection((HERE, port), timeout=1).close()
    except OSError:
        return False
    return True
