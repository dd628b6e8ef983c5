"""Quix Streams: a data frame that validates, and a sink that is flushed at each of its checkpoints."""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.sinks import BaseSink

from tests.bench.distributed.job import Job, job_of_command_line
from tests.bench.distributed.sink import Course, Received, decode


class Sink(BaseSink):  # type: ignore[misc]
    """Keeps what comes until the checkpoint."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._course = Course(job)
        self._waiting: list[Received] = []

    def add(self, value: Any, key: Any, timestamp: int, headers: Any, topic: str, partition: int, offset: int) -> None:
        event, body = value
        self._waiting.append(Received(partition, offset, event, body))

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._course.take(waiting)


def main() -> None:
    job = job_of_command_line()
    app = Application(
        broker_address=job.broker,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        commit_every=job.batch,
        state_dir=job.home,
        auto_create_topics=False,
        loglevel="ERROR",
    )
    events = app.dataframe(app.topic(job.topic, key_deserializer="bytes", value_deserializer="bytes"))
    events.apply(lambda body: (decode(body), body)).sink(Sink(job))
    app.run()


if __name__ == "__main__":
    main()
