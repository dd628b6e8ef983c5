"""A Toxwatch that runs: the process, its addresses, keys of every role, and the command line on its data."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from tests.interfaces.messages import STRUCTURED, body_of

ROOT = Path(__file__).resolve().parents[2]
TOXWATCH = Path(sys.executable).with_name("toxwatch")
SITES = ("FR01", "FR02", "FR03")
READERS = ("medical-monitor", "data-manager", "inspector")
PATIENCE_SECONDS = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    raw: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """Standard output as text."""
        return self.raw.decode()

    @property
    def json(self) -> Any:
        """The data on standard output."""
        return json.loads(self.stdout)

    @property
    def ndjson(self) -> list[Any]:
        """The same, one a line."""
        return [json.loads(line) for line in self.stdout.split("\n") if line]


class Commands:
    """Runs commands through one process that has imported everything."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.interfaces.command_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        self._scratch = tempfile.TemporaryDirectory(prefix="toxwatch-commands-")
        self._count = 0

    def __call__(self, *arguments: str | Path, stdin: str = "", **environment: str) -> Ran:
        """Run ``toxwatch ARGUMENTS``."""
        assert self._server.stdin
        assert self._server.stdout
        self._count += 1
        paths = {name: Path(self._scratch.name, f"{self._count}.{name}") for name in ("stdin", "stdout", "stderr")}
        paths["stdin"].write_text(stdin)
        request = {name: str(path) for name, path in paths.items()}
        line = json.dumps({**request, "arguments": [str(given) for given in arguments], "environment": environment})
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "the command server has died"
        return Ran(json.loads(answer)["code"], paths["stdout"].read_bytes(), paths["stderr"].read_text())

    def close(self) -> None:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.close()
        self._server.wait(timeout=PATIENCE_SECONDS)
        self._server.stdout.close()
        self._scratch.cleanup()


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without settings of Toxwatch that are none of the test's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOXWATCH_")}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200", **more}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(look: Callable[[], T | None], within: float = PATIENCE_SECONDS, why: str = "") -> T:
    """What ``look`` gives as soon as it gives something; it must come before the deadline."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within} s: {why}; last seen: {found!r}"
        time.sleep(0.05)


@dataclass
class Live:
    """A running Toxwatch, seen from outside."""

    data: Path
    port: int
    metrics_port: int
    process: subprocess.Popen[bytes]
    stderr: Path
    toxwatch: Commands
    keys: dict[str, str] = field(default_factory=dict)
    client: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=PATIENCE_SECONDS))

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return f"http://127.0.0.1:{self.port}"

    def key(self, who: str = "FR01") -> str:
        """The key of a role, or of a site; made when first asked for."""
        if who not in self.keys:
            self.keys[who] = self.new_key(who)
        return self.keys[who]

    def new_key(self, who: str, *more: str) -> str:
        """A further key."""
        role = ["--role", "site", "--site", who] if who.startswith("FR") else ["--role", who]
        ran = self.toxwatch("keys", "add", *role, *more, "--data", self.data)
        assert ran.code == 0, ran.stderr
        return ran.stdout.strip()

    def as_(self, who: str | None) -> dict[str, str]:
        """The header that says who asks."""
        return {} if who is None else {"authorization": f"Bearer {self.key(who)}"}

    def send(
        self, events: Any, who: str | None = "FR01", kind: str = STRUCTURED, key: str | None = None
    ) -> httpx2.Response:
        """Send an event, or several, or bytes, in a content mode."""
        headers = {"content-type": kind, **({"authorization": f"Bearer {key}"} if key else self.as_(who))}
        return self.client.post(f"{self.url}/v1/events", content=body_of(events, kind), headers=headers)

    def accept(self, *events: dict[str, Any], who: str = "FR01") -> list[dict[str, Any]]:
        """Send events that must all be taken; what was answered of each."""
        answer = self.send(list(events), who, "application/x-ndjson")
        assert answer.status_code == 202, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def get(self, path: str, who: str | None = "medical-monitor", **query: Any) -> httpx2.Response:
        """Ask the reading interface."""
        return self.client.get(f"{self.url}{path}", params=query or None, headers=self.as_(who))

    def alerts(self, **query: Any) -> list[dict[str, Any]]:
        """Every alert of a question, page by page."""
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            page = self.get("/v1/alerts", **query, after=after, limit=500).json()
            found += page["alerts"]
            if page["next"] is None:
                return found
            after = page["next"]

    def alert(self, case: str, **query: Any) -> dict[str, Any]:
        """The alert of a case, as soon as there is one."""
        return until(
            lambda: next((found for found in self.alerts(**query) if found["case"] == case), None), why=f"alert {case}"
        )

    def whole(self, alert_id: str) -> dict[str, Any]:
        """One alert with its history."""
        answer = self.get(f"/v1/alerts/{alert_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def settle(self) -> None:
        """Wait until everything that is in the logs has been read, and told."""
        until(self._is_settled, why="settled")

    def lags(self) -> dict[str, int]:
        """How many entries each consumer has still to read."""
        return {row["consumer"]: row["lag"] for row in self.get("/v1/status", "operator").json()["consumers"]}

    def _is_settled(self) -> bool:
        lags = self.lags()
        unsent = self.get("/v1/status", "operator").json()["alert_events_unsent"]
        return (lags.get("monitor"), lags.get("dispatcher"), unsent) == (0, 0, 0)

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None


@contextmanager
def running(directory: Path, toxwatch: Commands, **environment: str) -> Iterator[Live]:
    """``toxwatch run``, ready, on a directory of its own; stopped afterwards."""
    port, metrics_port = free_port(), free_port()
    metrics = ("--metrics", f"127.0.0.1:{metrics_port}")
    stderr = directory / "run.stderr"
    with stderr.open("wb") as errors, (directory / "run.stdout").open("wb") as output:
        process = subprocess.Popen(
            [TOXWATCH, "run", "--data", str(directory / "data"), "--listen", f"127.0.0.1:{port}", *metrics],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=clean_environment(**environment),
        )
    live = Live(directory / "data", port, metrics_port, process, stderr, toxwatch)
    try:
        until(lambda: _is_ready(live), why="ready")
        yield live
    finally:
        live.client.close()
        process.terminate()
        try:
            process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _is_ready(live: Live) -> bool:
    assert live.is_alive(), live.stderr.read_text()
    try:
        return live.client.get(f"http://127.0.0.1:{live.metrics_port}/readyz").status_code == 200
    except httpx2.TransportError:
        return False
