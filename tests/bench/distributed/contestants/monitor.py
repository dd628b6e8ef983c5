"""``toxwatch monitor`` as it is, rules and all, which tells besides how long each event took until it was committed."""

from __future__ import annotations

from collections.abc import Sequence

from events.dates import Instant
from projections.store.write.batch import BatchOutcome
from services.log.port import Entry
from services.monitor.monitor import Monitor
from services.platform.logs import configure_logs
from services.platform.settings import read_settings
from services.runtime.embedded import faust_worker
from tests.bench.distributed.delays import Delays
from tests.bench.distributed.job import job_of_command_line

delays = Delays(job_of_command_line())


class TimedMonitor(Monitor):
    """Looks at the clock after each commit."""

    def process(self, entries: Sequence[Entry], now: Instant) -> BatchOutcome:
        outcome = super().process(entries, now)
        delays.committed(entry.body for entry in entries)
        return outcome


if __name__ == "__main__":
    faust_worker.Monitor = TimedMonitor  # type: ignore[misc]
    settings = read_settings()
    configure_logs("error")
    faust_worker.MonitorWorker(faust_worker.worker_app(settings)).execute_from_commandline()
