"""``/v1/assessment``: what is true at an instant. ``/v1/status``: how the deployment stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Response

from events.dates import Instant, format_instant
from events.envelope import InstantText
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.read.assessment import assessment
from projections.store.read.status import Counts, counts
from services.api.alert_shapes import Shape
from services.api.reader import Reader
from services.dispatcher.alert_entries import CONSUMER as DISPATCHER
from services.http.parameters import AssessmentParameters, NoParameters
from services.log.port import EventLog
from services.platform.time_source import Clock
from services.terminal.options import Axis
from services.trials.rules_version import configuration_hash

#: Which log each consumer reads; the others read the clinical log.
READ_BY: Final = {DISPATCHER: "alerts"}


class Consumer(Shape):
    """How far a consumer has come in one partition of its log. ``lag``: how many entries it has still to read."""

    consumer: str
    log: str
    partition: int
    next_offset: int
    lag: int


class DeadLetterCountView(Shape):
    """How many messages are parked."""

    reason: str
    state: str
    letters: int


class ParkedSubjectsRow(Shape):
    """How many subjects are not being watched, and since when."""

    subjects: int
    since: InstantText | None


class DeploymentStatus(Shape):
    """Positions and counts; nothing clinical. ``ends`` are the offsets that come next, by log and partition."""

    now: InstantText
    ends: dict[str, list[int]]
    consumers: list[Consumer]
    alerts: dict[str, int]
    alert_events_unsent: int
    deliveries: dict[str, int]
    dead_letters: list[DeadLetterCountView]
    parked_subjects: ParkedSubjectsRow


class AssessmentRoutes:
    """The trial at an instant, and the system now."""

    def __init__(self, database: Database, protocol: TrialProtocol, clock: Clock, logs: Mapping[str, EventLog]) -> None:
        self._database = database
        self._protocol = protocol
        self._clock = clock
        self._logs = logs
        self._status_reader = Reader(database, at_once=1)
        # It may take seconds, for every subject of the trial: one at a time.
        self._assessor = Reader(database, at_once=1)

    async def assessment(self, parameters: Annotated[AssessmentParameters, Query()]) -> Response:
        """What `toxwatch assess` says, from the stored charts: at an instant, by what was recorded or received by then."""
        as_of = self._clock.now() if parameters.as_of is None else parameters.as_of
        axis, subject = parameters.as_of_axis, parameters.subject

        def judged() -> bytes:
            # Written here too: of a whole trial it is much, and the event loop has others to serve.
            return json.dumps(assessment_document(self._database, self._protocol, as_of, axis, subject)).encode()

        return Response(await self._assessor.run(judged), media_type="application/json")

    async def status(self, parameters: Annotated[NoParameters, Query()]) -> DeploymentStatus:
        """Positions, lag and counts; nothing clinical."""
        del parameters
        ends = await self._status_reader.run(self._ends)
        found = await self._status_reader.ask(counts)
        return DeploymentStatus(
            now=format_instant(self._clock.now()),
            ends=ends,
            consumers=_consumers(found, ends),
            alerts={str(state): count for state, count in found.alerts.items()},
            alert_events_unsent=found.unsent,
            deliveries=found.deliveries,
            dead_letters=[DeadLetterCountView(**row._asdict()) for row in found.letters],
            parked_subjects=_parked(found),
        )

    def _ends(self) -> dict[str, list[int]]:
        return {name: [log.end(n) for n in range(log.partitions)] for name, log in self._logs.items()}


def assessment_document(
    database: Database, protocol: TrialProtocol, as_of: Instant, axis: Axis, subject: str | None = None
) -> dict[str, Any]:
    """``assess``'s JSON from the stored charts. What the gateway refused is no line of this: ``refused`` is empty."""
    return {
        "as_of": format_instant(as_of),
        "protocol": protocol.name,
        "protocol_version": protocol.version,
        **assessment(
            database,
            protocol,
            configuration_hash(protocol),
            as_of,
            "received" if axis is Axis.RECEIVED else "recorded",
            subject,
        ),
        "refused": [],
    }


def _consumers(found: Counts, ends: Mapping[str, list[int]]) -> list[Consumer]:
    rows = []
    for consumer, partition, next_offset in found.positions:
        log = READ_BY.get(consumer, "clinical")
        known = ends[log]
        end = known[partition] if partition < len(known) else next_offset
        # The positions were read after the ends, and may be beyond them.
        lag = max(0, end - next_offset)
        rows.append(Consumer(consumer=consumer, log=log, partition=partition, next_offset=next_offset, lag=lag))
    return rows


def _parked(found: Counts) -> ParkedSubjectsRow:
    since = found.parked_subjects.since
    return ParkedSubjectsRow(
        subjects=found.parked_subjects.subjects, since=None if since is None else format_instant(since)
    )
