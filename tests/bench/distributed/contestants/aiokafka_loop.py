"""Nothing between the client and the sink: what there is to be had."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer

from tests.bench.distributed.job import Job, job_of_command_line
from tests.bench.distributed.sink import Course, Received, decode


async def _run(job: Job) -> None:
    course = Course(job)
    consumer = AIOKafkaConsumer(
        job.topic,
        bootstrap_servers=job.broker,
        group_id=job.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * 1024 * 1024,  # as ours
    )
    await consumer.start()
    while True:
        found = await consumer.getmany(timeout_ms=200, max_records=job.batch)
        batch = [
            Received(record.partition, record.offset, decode(record.value), record.value)
            for records in found.values()
            for record in records
        ]
        if batch:
            course.take(batch)


if __name__ == "__main__":
    asyncio.run(_run(job_of_command_line()))
