"""Bytewax: a data flow from its Kafka source, batch by batch, to a sink."""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from tests.bench.distributed.job import Job, job_of_command_line
from tests.bench.distributed.sink import Course, Received, decode


class Partition(StatelessSinkPartition):  # type: ignore[misc]
    """Writes what comes, several of the source's batches at once, in batches as large as everybody's."""

    def __init__(self, job: Job) -> None:
        self._course = Course(job)
        self._batch = job.batch

    def write_batch(self, items: list[Received]) -> None:
        for start in range(0, len(items), self._batch):
            self._course.take(items[start : start + self._batch])


class Sink(DynamicSink):  # type: ignore[misc]
    """One for the one worker."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Partition:
        return Partition(self._job)


def _decoded(batch: list[Any]) -> list[Received]:
    return [Received(one.partition, one.offset, decode(one.value), one.value) for one in batch]


def main() -> None:
    job = job_of_command_line()
    flow = Dataflow("bench")
    entries = op.input("entries", flow, KafkaSource([job.broker], [job.topic], batch_size=job.batch))
    op.output("sink", op.flat_map_batch("decode", entries, _decoded), Sink(job))
    cli_main(flow)


if __name__ == "__main__":
    main()
