"""Our Faust worker as it is: reader, channel, agent and taker. In the monitor's place stands the sink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from events.dates import Instant
from projections.store.write.batch import BatchOutcome
from services.log.port import Entry
from services.monitor import clinical_reader
from services.platform.logs import configure_logs
from services.platform.settings import read_settings
from services.runtime.embedded import faust_worker
from tests.bench.distributed.job import Job, job_of_command_line
from tests.bench.distributed.sink import Course, Received, decode


class SinkMonitor:
    """What the worker asks of a monitor."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._course = Course(job)

    def position(self, partition: int) -> int:
        with psycopg.connect(self._job.database) as connection:
            wanted = "SELECT next_offset FROM sink_positions WHERE partition = %s"
            found = connection.execute(wanted, (partition,)).fetchone()
        assert found is not None
        return int(found[0])

    def process(self, entries: Sequence[Entry], now: Instant) -> BatchOutcome:
        self._course.take([Received(*entry.position, decode(entry.body), entry.body) for entry in entries])
        return BatchOutcome()

    def judge_again(self, now: Instant) -> int:
        return 0


def main() -> None:
    job = job_of_command_line()

    def make(*parts: Any) -> SinkMonitor:
        return SinkMonitor(job)

    # The same batches as the others: far behind, the reader would take more at once.
    clinical_reader.BATCH_MAX = clinical_reader.BATCH_BEHIND_MAX = job.batch  # type: ignore[misc]
    faust_worker.Monitor = make  # type: ignore[assignment,misc]
    settings = read_settings()
    configure_logs("error")
    faust_worker.MonitorWorker(faust_worker.worker_app(settings)).execute_from_commandline()


if __name__ == "__main__":
    main()
