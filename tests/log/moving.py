"""A deployment to be moved, and where to: a copy of one that was played, a database without tables, and empty topics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from projections.store.engine.database import Database
from projections.store.engine.tables import metadata
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import Cluster
from services.log.port import Entry
from services.maintenance.relocation.move import MoveReport
from services.maintenance.relocation.moving import move_deployment
from services.platform.fail_points import nothing
from services.platform.settings import Settings
from tests.files.command_line import Outcome, toxwatch
from tests.log.played import rows_of
from tests.monitor.deployment import SOURCE, SetClock

#: Of the clinical log on Kafka.
PARTITIONS = 4


@dataclass(frozen=True)
class Case:
    """Both sides of one move."""

    source: Settings
    database_url: str
    cluster: Cluster
    prefix: str

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the new deployment, as its services are given them."""
        return {
            "TOXWATCH_LOG": f"kafka://{self.cluster}",
            "TOXWATCH_DATABASE": self.database_url,
            "TOXWATCH_TOPIC_PREFIX": self.prefix,
            "TOXWATCH_CLINICAL_PARTITIONS": str(PARTITIONS),
            "TOXWATCH_DEPLOYMENT": SOURCE.removeprefix("urn:toxwatch:"),
        }

    @property
    def settings(self) -> Settings:
        """The same as they are read."""
        named = {name.removeprefix("TOXWATCH_").lower(): value for name, value in self.environment.items()}
        return Settings(**named)  # type: ignore[arg-type]

    def move(self, clock: SetClock | None = None, fail_point: Callable[[str], None] = nothing) -> MoveReport:
        """Move, in this process."""
        return move_deployment(
            self.source, self.settings, clock or SetClock(), lambda _: nullcontext(_ignore), fail_point
        )

    def command(self, *arguments: str) -> Outcome:
        """``toxwatch migrate-log`` of this deployment."""
        where = (
            ("--from-data", str(self.source.data)) if self.source.data else ("--from-database", self.source.database)
        )
        return toxwatch("migrate-log", *map(str, where), *arguments, environment=self.environment)

    @contextmanager
    def old(self) -> Iterator[Database]:
        """The old database."""
        with closing(Database(self.source.database_url)) as database:
            yield database

    @contextmanager
    def new(self) -> Iterator[Database]:
        """The new database."""
        with closing(Database(self.database_url)) as database:
            yield database

    @contextmanager
    def topics(self) -> Iterator[tuple[KafkaLog, KafkaLog]]:
        """The new logs, clinical and of alerts."""
        with (
            closing(KafkaLog(self.cluster, topics.clinical(self.prefix), "clinical")) as clinical,
            closing(KafkaLog(self.cluster, topics.alerts(self.prefix), "alerts")) as alerts,
        ):
            yield clinical, alerts

    def entries(self) -> tuple[list[Entry], list[Entry]]:
        """Everything in the two topics, partition by partition."""
        with self.topics() as logs:
            clinical, alerts = ([e for n in range(log.partitions) for e in log.read(n, 0, 1_000_000)] for log in logs)
        return clinical, alerts

    def tables(self) -> dict[str, list[str]]:
        """Every row of the new database, in one order."""
        with self.new() as database:
            return {table.name: in_one_order(rows_of(database, table)) for table in metadata.sorted_tables}


def in_one_order(rows: list[Any], *aside: str) -> list[str]:
    """Rows that can be compared, some columns aside."""
    return sorted(
        repr({name: value for name, value in row.items() if name not in aside} if isinstance(row, dict) else row)
        for row in rows
    )


def _ignore(_done: int, _total: int) -> None:
    """How far it has come is shown to nobody."""
