"""``make kafka``: what the compose file says, as processes: comes up, works, mends itself, and ends in order."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.brokers import broker_is_installed, free_port
from tests.crash.deployment import eventually
from tests.databases import postgresql_directory
from tests.files.command_line import toxwatch
from tests.local_stack.compose import ROOT
from tests.local_stack.programs import properties_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributed")]

READY_SECONDS_MAX = 240
END_SECONDS_MAX = 120
SUBJECT = "FR03-004"
SERVICES = ("gateway", "monitor-1", "monitor-2", "clock", "dispatcher")
PUBLISHED = ("TOXWATCH_GATEWAY_PORT", "TOXWATCH_KAFKA_PORT", "TOXWATCH_PROMETHEUS_PORT")


class LocalStack:
    """The program, and what it has said."""

    def __init__(self, directory: Path) -> None:
        self._files = (directory / "out", directory / "err")
        self.ports = {name: str(free_port()) for name in PUBLISHED}
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.local_stack"],
                cwd=ROOT,
                env={**os.environ, **self.ports},
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        """Standard output."""
        return self._files[0].read_text()

    @property
    def err(self) -> str:
        """Standard error."""
        return self._files[1].read_text()

    @property
    def environment(self) -> dict[str, str]:
        """The settings that it prints for a shell."""
        lines = [shlex.split(line) for line in self.out.splitlines() if line.startswith("export ")]
        return dict(line[1].split("=", 1) for line in lines)

    @property
    def metrics(self) -> dict[str, str]:
        """Where each service shows its metrics."""
        return dict(re.findall(r"^# ([\w-]+):.* (http://\S+/metrics)$", self.out, re.MULTILINE))

    def get(self, name: str, path: str = "metrics") -> httpx2.Response | None:
        """What a service answers on the address of its metrics."""
        try:
            return httpx2.get(self.metrics[name].removesuffix("metrics") + path, timeout=10)
        except httpx2.TransportError:
            return None

    def is_ready(self, name: str) -> bool:
        """Whether it says so."""
        answer = self.get(name, "readyz")
        return answer is not None and answer.status_code == 200

    def end(self) -> int:
        """As Ctrl-C or an operator ends it."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_SECONDS_MAX)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    """Started, and ready."""
    if not (broker_is_installed() and postgresql_directory() and shutil.which("prometheus")):
        pytest.skip("Apache Kafka (make broker), PostgreSQL or Prometheus is not installed here")
    started = LocalStack(tmp_path)
    try:
        eventually(
            lambda: "# ready" in started.out or started.process.poll() is not None,
            READY_SECONDS_MAX,
            lambda: started.err,
        )
        assert started.process.poll() is None, started.err
        yield started
    finally:
        if started.process.poll() is None:
            started.end()


def _key(stack: LocalStack, *options: str) -> dict[str, str]:
    made = toxwatch("keys", "add", *options, environment=stack.environment)
    assert made.code == 0, made.err
    return {"Authorization": f"Bearer {made.out.strip()}"}


def _children(parent: int) -> dict[int, str]:
    """The processes that it has started, with their command lines."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(pid): Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip() for pid in listed}


def test_the_stack_works_as_the_compose_file_says(stack: LocalStack, tmp_path: Path) -> None:
    """A key from the command line, a subject's events over HTTP, its DLT among the alerts; metrics; a death; a good end."""
    gateway = f"http://127.0.0.1:{stack.ports['TOXWATCH_GATEWAY_PORT']}"
    site = _key(stack, "--role", "site", "--site", "FR03")
    told = toxwatch("simulate", "--seed", "7", "--no-received", "--out", str(tmp_path / "trial.ndjson"))
    assert told.code == 0, told.err
    lines = [line for line in (tmp_path / "trial.ndjson").read_text().splitlines() if f'"{SUBJECT}"' in line]
    headers = {**site, "Content-Type": "application/x-ndjson"}
    answer = httpx2.post(f"{gateway}/v1/events", content="\n".join(lines), headers=headers, timeout=60)
    assert answer.status_code == 202, answer.text

    reader = _key(stack, "--role", "medical-monitor")

    def verdicts() -> set[str]:
        found = httpx2.get(
            f"{gateway}/v1/alerts", params={"subject": SUBJECT, "limit": 100}, headers=reader, timeout=60
        )
        return {alert["verdict"] for alert in found.json()["alerts"]}

    eventually(lambda: "met" in verdicts(), 60, verdicts)
    _check_metrics(stack)
    _check_that_it_mends_itself(stack)
    started = _children(stack.process.pid)
    assert len(started) == len(SERVICES) + 3
    assert stack.end() == 0, stack.err
    ended = dict(re.findall(r"^([\w-]+): ended with (-?\d+)$", stack.err, re.MULTILINE))
    assert {name: ended[name] for name in (*SERVICES, "postgres")} == dict.fromkeys((*SERVICES, "postgres"), "0")
    assert [command for pid, command in started.items() if Path(f"/proc/{pid}").exists()] == []


def _check_metrics(stack: LocalStack) -> None:
    """Every service shows its own, and Prometheus finds each of them up."""
    assert set(stack.metrics) == set(SERVICES)
    for name in SERVICES:
        scraped = stack.get(name)
        assert scraped is not None
        families = {family.name: family for family in text_string_to_metric_families(scraped.text)}
        assert families["toxwatch_ready"].samples[0].value == 1
    prometheus = f"http://127.0.0.1:{stack.ports['TOXWATCH_PROMETHEUS_PORT']}"

    def health() -> list[tuple[str, str]]:
        found = httpx2.get(f"{prometheus}/api/v1/targets", timeout=30).json()["data"]["activeTargets"]
        return sorted((target["labels"]["service"], target["health"]) for target in found)

    expected = [(name.partition("-")[0], "up") for name in ("clock", "dispatcher", "gateway", "monitor-1", "monitor-2")]
    eventually(lambda: health() == expected, 60, health)


def _check_that_it_mends_itself(stack: LocalStack) -> None:
    """A service that dies is started again, as its restart policy says."""
    (killed,) = (pid for pid, command in _children(stack.process.pid).items() if command.endswith("toxwatch clock"))
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: "clock: ended with -9, and is started again" in stack.err)
    eventually(lambda: stack.is_ready("clock"), 60, lambda: stack.err)


def test_the_environment_of_the_broker_becomes_its_properties() -> None:
    """As the image has it: a double underscore is one, a triple one is a hyphen."""
    assert properties_of(
        {
            "KAFKA_LOG_DIRS": "/data",
            "KAFKA_A__B_C___D": "1",
            "KAFKA_HEAP_OPTS": "-Xmx1g",
            "CLUSTER_ID": "of the storage, not of the broker",
        }
    ) == {"log.dirs": "/data", "a_b.c-d": "1"}
