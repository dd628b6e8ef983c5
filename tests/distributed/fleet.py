"""The services of a distributed deployment as processes: started as an operator starts them, killed, stopped, frozen, asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import httpx2

from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from services.gateway.keys import add_key
from services.log.kafka_client import Cluster
from services.platform import time_source
from tests.crash.deployment import Health, OpenDatabase, eventually
from tests.files.command_line import Outcome, toxwatch

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS_MAX: Final = 120.0
STOP_SECONDS_MAX: Final = 60.0
PARTITIONS: Final = 4
SERVICES: Final = ("gateway", "monitor", "clock", "dispatcher")


@dataclass
class Member:
    """One service, and one process of it after the other."""

    name: str
    program: Sequence[str]
    logs: list[Path] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def service(self) -> str:
        """``gateway``, ``monitor``, ``clock`` or ``dispatcher``."""
        return self.name.partition("-")[0]

    def lines(self, event: str | None = None) -> Iterator[dict[str, Any]]:
        """What the present process has logged."""
        for raw in self.logs[-1].read_bytes().splitlines() if self.logs else ():
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict) and event in (None, line.get("event")):
                yield line

    def address(self, role: str) -> str | None:
        """Where it listens; None where it does not yet."""
        return next((str(line["address"]) for line in self.lines("listening") if line.get("role") == role), None)


class Fleet:
    """A deployment on a broker and a database that others have started."""

    def __init__(self, home: Path, broker: str, database_url: str, prefix: str, recipients: Path | None = None) -> None:
        self.home = home
        self.database_url = database_url
        self.members: dict[str, Member] = {}
        self.environment = {
            "TOXWATCH_LOG": f"kafka://{broker}",
            "TOXWATCH_DATABASE": database_url,
            "TOXWATCH_TOPIC_PREFIX": prefix,
            "TOXWATCH_CLINICAL_PARTITIONS": str(PARTITIONS),
            "TOXWATCH_LISTEN": "127.0.0.1:0",
            "TOXWATCH_METRICS": "127.0.0.1:0",
        }
        if recipients is not None:
            self.environment["TOXWATCH_RECIPIENTS"] = str(recipients)
        self.cluster = Cluster((broker,))
        self.prefix = prefix

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self.members.values():
            if member.process is not None:
                member.process.kill()
                member.process.wait()

    def make(self) -> None:
        """Topics and tables."""
        made = self.command("topics", "create")
        assert made.code == 0, made.err
        database = Database(self.database_url)
        try:
            migrate(database)
        finally:
            database.close()

    @property
    def url(self) -> str | None:
        """Where a gateway listens; None while there is none."""
        for member in self.members.values():
            if member.service == "gateway" and member.process is not None and (address := member.address("gateway")):
                return f"http://{address}"
        return None

    def begin(
        self, name: str, program: Sequence[str] | None = None, environment: dict[str, str] | None = None
    ) -> Member:
        """Start a process of a service, such as ``monitor-2``, and do not wait."""
        member = self.members.setdefault(name, Member(name, program or ("services.cli.main", name.partition("-")[0])))
        assert member.process is None, f"{name} runs"
        member.logs.append(self.home / f"{name}-{len(member.logs) + 1}.ndjson")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("TOXWATCH_")}
        with member.logs[-1].open("wb") as log:
            member.process = subprocess.Popen(
                [sys.executable, "-m", *member.program],
                cwd=ROOT,
                env={**kept, **self.environment, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return member

    def start(self, *names: str) -> None:
        """Start processes, and wait until all are ready."""
        for name in names:
            self.begin(name)
        self.await_ready(*names)

    def await_ready(self, *names: str) -> None:
        """Wait until they say that they are ready."""
        for name in names:
            eventually(lambda name=name: self.is_ready(name), START_SECONDS_MAX, lambda name=name: self.said(name))

    def is_ready(self, name: str) -> bool:
        """Whether it says so."""
        health = self.health(name)
        return health is not None and health.ready == 200

    def health(self, name: str) -> Health | None:
        """What it says of itself; None where it does not answer."""
        address = self.members[name].address("metrics")
        if address is None:
            return None
        try:
            ready = httpx2.get(f"http://{address}/readyz", timeout=10)
        except httpx2.TransportError:
            return None
        return Health(200, ready.status_code, ready.json()["reasons"])

    def said(self, name: str) -> str:
        """What it has said last, and how it is."""
        member = self.members[name]
        code = member.process.poll() if member.process is not None else None
        return f"{name} (exit {code}) {self.health(name)}: {member.logs[-1].read_text(errors='replace')[-3000:]}"

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> float:
        """SIGTERM; gives the seconds that it took. It must end in good order."""
        began = time.monotonic()
        code = self._end(name, signal.SIGTERM)
        assert code == 0, f"{name} ended with {code}: {self.members[name].logs[-1].read_text()[-3000:]}"
        return time.monotonic() - began

    def freeze(self, name: str) -> None:
        """SIGSTOP: it does nothing, and does not know it."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self._signal(name, signal.SIGCONT)

    def database(self) -> OpenDatabase:
        """The database, opened beside the services for a while."""
        return OpenDatabase(self.database_url)

    def command(self, *arguments: str, **options: Any) -> Outcome:
        """A command of ``toxwatch`` on this deployment."""
        return toxwatch(*arguments, environment=self.environment, **options)

    def make_keys(self, sites: Sequence[str], sponsor: str | None = None) -> dict[str, str]:
        """A key for each site, and one for the sponsor under that name."""
        with self.database() as opened, opened.writing() as connection:
            now = time_source.now()
            keys = {site: add_key(connection, "site", site, "fleet", now).text for site in sites}
            if sponsor is not None:
                keys[sponsor] = add_key(connection, "sponsor", None, "fleet", now).text
        return keys

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self.members[name].process
        assert process is not None, f"{name} does not run"
        process.send_signal(number)

    def _end(self, name: str, number: signal.Signals) -> int:
        member = self.members[name]
        assert member.process is not None, f"{name} does not run"
        member.process.send_signal(number)
        try:
            return member.process.wait(STOP_SECONDS_MAX)
        finally:
            member.process.kill()
            member.process.wait()
            member.process = None
