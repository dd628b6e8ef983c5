"""What the monitor did, as metrics and log lines."""

from __future__ import annotations

import structlog

from events.clock import ClockReached
from events.dates import SECOND, Instant, parse_instant
from projections.store.write.batch import BatchOutcome, EventFailed
from services.platform.metrics import TrialMetrics
from services.platform.time_source import Clock

log = structlog.get_logger()


class MonitorMetrics:
    """Counts and logs each batch after its commit, and each bug. ``clock`` is the deployment's."""

    def __init__(self, metrics: TrialMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    def processed(self, outcome: BatchOutcome, now: Instant) -> None:
        """A batch was committed: how long its alerts took, from the receipt or from when they were due."""
        committed = self._clock.now()
        received = {(event.source, event.id): received for event, _, received in outcome.taken}
        for event, _, _ in outcome.taken:
            if isinstance(event, ClockReached):
                self._metrics.detection_delay_seconds((now - parse_instant(event.data.due)) / SECOND)
        for step in outcome.transitions:
            cause = (step.data.caused_by.source, step.data.caused_by.id)
            if cause in received:
                self._metrics.event_to_alert_seconds((committed - received[cause]) / SECOND)
            log.info(
                "alert_told",
                action=step.kind,
                alert_id=step.data.alert_id,
                revision=step.data.revision,
                verdict=step.data.verdict,
                urgency=step.data.urgency,
                event_id=step.data.caused_by.id,
            )
        for entry, refusal in outcome.refused:
            log.error("entry_refused", reason=refusal.reason, partition=entry.partition, offset=entry.offset)
        if outcome.behind:
            log.error("events_parked_behind_a_bug", count=len(outcome.behind))

    def met_a_bug(self, failed: EventFailed) -> None:
        """Judging raised: the subject is parked. What was raised is logged by its type and place."""
        log.critical("subject_parked", exc_info=failed.__cause__, offset=failed.offset)
