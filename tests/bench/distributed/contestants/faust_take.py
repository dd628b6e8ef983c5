"""Faust as its documentation shows it: an agent on the topic that takes so many events at once."""

from __future__ import annotations

import sys
from typing import Any

import faust

from tests.bench.distributed.job import job_of_command_line
from tests.bench.distributed.sink import Course, Received, decode

WITHIN_SECONDS = 0.2

job = job_of_command_line()
app = faust.App(
    job.group,
    broker=f"kafka://{job.broker}",
    datadir=job.home,
    consumer_auto_offset_reset="earliest",
    topic_disable_leader=True,
)
topic = app.topic(job.topic, value_serializer="raw", key_serializer="raw")


@app.agent(topic)
async def take(stream: Any) -> None:
    course = Course(job)
    async for events in stream.take_events(job.batch, within=WITHIN_SECONDS):
        course.take(
            [
                Received(one.message.partition, one.message.offset, decode(one.message.value), one.message.value)
                for one in events
            ]
        )


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--without-web", "--loglevel", "warn"]
    app.main()
