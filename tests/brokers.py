"""A real Apache Kafka broker to test on: one process, started for this session, that a test may also kill and start again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TOOLS: Final = Path(__file__).resolve().parent.parent / "tools" / "kafka"
LIBRARIES: Final = TOOLS / "libs"
#: A slow machine under load.
START_SECONDS_MAX: Final = 90.0
STOP_SECONDS_MAX: Final = 30.0
FAST_START: Final = ("-Xms128m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

#: One node that is broker and controller. Its session is short, so that it is up again soon after it was killed.
PROPERTIES: Final[Mapping[str, object]] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.num.partitions": 3,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.num.partitions": 3,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 3,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": "false",
    "broker.session.timeout.ms": 2000,
    "broker.heartbeat.interval.ms": 500,
    "controlled.shutdown.enable": "false",
}


def broker_is_installed() -> bool:
    """Whether there are the jars (``make broker``), and something to run them."""
    return any(LIBRARIES.glob("kafka_*.jar")) and shutil.which("java") is not None


class Broker:
    """One broker in a directory of its own."""

    def __init__(self, home: Path, port: int | None = None) -> None:
        self.port: Final = port or free_port()
        self._home = home
        self._log = home / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        controller = free_port()
        listener = f"PLAINTEXT://127.0.0.1:{self.port}"
        properties = {
            **PROPERTIES,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"{listener},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listener,
            "log.dirs": home / "data",
        }
        self._config = home / "server.properties"
        self._config.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        cluster = self._tool("random-uuid").decode().split()[-1]
        self._tool("format", "-t", cluster, "-c", str(self._config))

    @property
    def address(self) -> str:
        """``HOST:PORT``."""
        return f"127.0.0.1:{self.port}"

    def segment(self, topic: str, partition: int = 0) -> Path:
        """The file that the first entries of a partition are in."""
        return self._home / "data" / f"{topic}-{partition}" / f"{0:020}.log"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        with self._log.open("wb") as log:
            logging = f"-Dlog4j2.configurationFile={TOOLS / 'log4j2.properties'}"
            command = ["java", *FAST_START, logging, "-cp", f"{LIBRARIES}/*", "kafka.Kafka", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS_MAX
        while b"Kafka Server started" not in self._log.read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the broker does not start:\n{self._log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _tool(self, *arguments: str) -> bytes:
        command = ["java", *FAST_START, "-cp", f"{LIBRARIES}/*", "kafka.tools.StorageTool", *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


@contextmanager
def kafka_broker(port: int | None = None) -> Iterator[Broker]:
    """A broker that runs."""
    home = Path(tempfile.mkdtemp(prefix="kafka"))
    broker = Broker(home, port)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
