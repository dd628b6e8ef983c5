"""Every metric there is, each with its type, its unit, its labels and what it means.

Some count what happens in this process and begin at 0 with it: :class:`TrialMetrics`, one for each trial. The others say how
the database stands, whichever process is asked and since whenever: ``services.runtime.metrics_store`` reads them at a scrape.
No label ever holds the id of a subject, nor anything else that a sender may write as he pleases.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Final, Literal, NamedTuple, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from events.catalog import CLASS_BY_TYPE

Kind = Literal["counter", "gauge", "histogram", "info"]
Outcome = Literal["accepted", "duplicate", "refused"]
TurnedAway = Literal["unavailable", "limited", "abandoned"]

#: The label with the trial's id.
TRIAL: Final = "trial"
#: The verdict of an alert under which nothing stands, or that is no subject's finding.
NO_VERDICT: Final = "none"
#: Stands for an event type that is none of ours: a label with the sender's own words would grow without bound.
UNKNOWN_TYPE: Final = "unknown"

_SUB_SECOND: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_TO_DAYS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0)


class Declared(NamedTuple):
    """A metric as it is declared. ``name`` is the one that is scraped, ``labels`` its own beside ``trial``.

    ``is_of_process``: it says something of the whole process, and has no trial.
    """

    kind: Kind
    name: str
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    is_of_process: bool = False

    @property
    def all_labels(self) -> tuple[str, ...]:
        """The labels as they are scraped."""
        return self.labels if self.is_of_process else (TRIAL, *self.labels)


# --- What this process has seen. -----------------------------------------------------------------------------------------------

EVENTS: Final = Declared(
    "counter",
    "toxwatch_events_total",
    "events",
    "Events that the gateway has answered, by event type and by what became of them: accepted, duplicate or refused.",
    ("type", "outcome"),
)
EVENT_TO_ALERT: Final = Declared(
    "histogram",
    "toxwatch_event_to_alert_seconds",
    "seconds",
    "From the receipt of an event to the alert that it caused standing in the outbox.",
    buckets=_SUB_SECOND,
)
DETECTION_DELAY: Final = Declared(
    "histogram",
    "toxwatch_detection_delay_seconds",
    "seconds",
    "From the instant at which time alone changed a verdict to the detection of it.",
    buckets=_TO_DAYS,
)
DELIVERIES: Final = Declared(
    "counter",
    "toxwatch_deliveries_total",
    "deliveries",
    "Attempts to deliver an alert, by channel and outcome.",
    ("channel", "outcome"),
)
MONITOR_BATCH: Final = Declared(
    "histogram",
    "toxwatch_monitor_batch_seconds",
    "seconds",
    "How long the monitor took for one batch of the clinical log, its transaction included.",
    buckets=_SUB_SECOND,
)
STORE_UNAVAILABLE: Final = Declared(
    "counter",
    "toxwatch_store_unavailable_total",
    "refusals",
    "How often the database (locked, full, read-only, down) or the brokers could not be used, by the part that met it.",
    ("component",),
)
TURNED_AWAY: Final = Declared(
    "counter",
    "toxwatch_requests_turned_away_total",
    "requests",
    "Requests with events that were not taken: unavailable (503), limited (too much of a key, 429), or abandoned by the sender.",
    ("reason",),
)
INTAKE_LAG: Final = Declared(
    "gauge",
    "toxwatch_intake_lag_events",
    "events",
    "Entries of an outside producer's topic that no gateway has taken yet, markers of transactions among them.",
    ("topic", "partition"),
)
BUILD: Final = Declared(
    "info",
    "toxwatch_build_info",
    "",
    "Always 1; the labels are the versions that run.",
    ("version", "python"),
    is_of_process=True,
)
READY: Final = Declared(
    "gauge",
    "toxwatch_ready",
    "",
    "1 if this process is ready; if 0, its `/readyz` gives the reasons.",
    is_of_process=True,
)

# --- How the database stands. --------------------------------------------------------------------------------------------------

STORE_UP: Final = Declared(
    "gauge",
    "toxwatch_store_up",
    "",
    "1 if the database could be read for this scrape. If 0, none of the metrics read from it is shown.",
)
ALERTS: Final = Declared(
    "counter",
    "toxwatch_alerts_total",
    "alerts",
    "Alert events since the beginning, by verdict (none: nothing stands, or it is no subject's) and action.",
    ("verdict", "action"),
)
OPEN_CASES: Final = Declared("gauge", "toxwatch_open_cases", "cases", "Cases that stand now, by verdict.", ("verdict",))
DEADLINES_OVERDUE: Final = Declared(
    "gauge",
    "toxwatch_deadlines_overdue",
    "deadlines",
    "Deadlines that have come and that no clock event has been written for. More than a moment above 0: no clock runs.",
)
OLDEST_UNDELIVERED: Final = Declared(
    "gauge",
    "toxwatch_oldest_undelivered_seconds",
    "seconds",
    "Age of the oldest alert that is due and has not reached all its recipients, planned or not yet; 0 if there is none.",
)
OLDEST_UNACKNOWLEDGED: Final = Declared(
    "gauge",
    "toxwatch_oldest_unacknowledged_seconds",
    "seconds",
    "Age of the oldest open alert, since nobody can acknowledge one in this version; 0 if there is none.",
)
OUTBOX: Final = Declared(
    "gauge", "toxwatch_outbox_alerts", "alerts", "Alert events that wait for the relay to put them in the alert log."
)
CHANNELS_DISABLED: Final = Declared(
    "gauge", "toxwatch_channels_disabled", "channels", "Channels that their receiver has switched off."
)
LOG_LAG: Final = Declared(
    "gauge",
    "toxwatch_log_lag_events",
    "events",
    "Entries of the clinical log that the monitor has not taken yet.",
    ("partition",),
)
ALERT_LOG_LAG: Final = Declared(
    "gauge",
    "toxwatch_alert_log_lag_events",
    "events",
    "Entries of the alert log that the dispatcher has not taken yet.",
    ("partition",),
)
DEAD_LETTERS: Final = Declared(
    "counter",
    "toxwatch_dead_letters_total",
    "letters",
    "Inputs that were refused or set aside since the beginning, each distinct one once, by reason.",
    ("reason",),
)
SEVERE_DEAD_LETTERS: Final = Declared(
    "gauge",
    "toxwatch_severe_dead_letters_open",
    "letters",
    "Refused inputs that look severe and that nobody has mended or deleted.",
)
KEY_REQUESTS: Final = Declared(
    "counter",
    "toxwatch_key_requests_total",
    "requests",
    "Requests by what came of their key: used, forbidden (its role may not do it), or why it was refused.",
    ("outcome",),
    is_of_process=True,
)
PARKED_SUBJECTS: Final = Declared(
    "gauge", "toxwatch_parked_subjects", "subjects", "Subjects that are not being watched, because of a bug."
)
SITE_SILENCE: Final = Declared(
    "gauge",
    "toxwatch_site_silence_seconds",
    "seconds",
    "Since a site's own systems sent the last event that was taken.",
    ("site",),
)
DEAD_LETTER_BYTES: Final = Declared(
    "gauge", "toxwatch_dead_letter_bytes", "bytes", "Bytes of refused or parked input that are kept."
)
DATABASE_BYTES: Final = Declared("gauge", "toxwatch_database_bytes", "bytes", "How much room the database takes.")
DISK_FREE: Final = Declared(
    "gauge",
    "toxwatch_disk_free_bytes",
    "bytes",
    "Free on the disk of an embedded database; not shown where a server has its own.",
)
CLOCK_LEAP: Final = Declared(
    "gauge",
    "toxwatch_clock_leap_seconds",
    "seconds",
    "By how much the machine's clock has leapt ahead (negative: back). Not 0: it is not believed, and needs a restart.",
    is_of_process=True,
)

IN_PROCESS: Final = (
    EVENTS,
    EVENT_TO_ALERT,
    DETECTION_DELAY,
    DELIVERIES,
    MONITOR_BATCH,
    STORE_UNAVAILABLE,
    TURNED_AWAY,
    INTAKE_LAG,
    BUILD,
    READY,
)
FROM_STORE: Final = (
    STORE_UP,
    ALERTS,
    OPEN_CASES,
    DEADLINES_OVERDUE,
    OLDEST_UNDELIVERED,
    OLDEST_UNACKNOWLEDGED,
    OUTBOX,
    CHANNELS_DISABLED,
    LOG_LAG,
    ALERT_LOG_LAG,
    DEAD_LETTERS,
    SEVERE_DEAD_LETTERS,
    KEY_REQUESTS,
    PARKED_SUBJECTS,
    SITE_SILENCE,
    DEAD_LETTER_BYTES,
    DATABASE_BYTES,
    DISK_FREE,
    CLOCK_LEAP,
)


class Metrics:
    """The metrics of one process, in a registry of their own. Every method may be called from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # A switch of the library for the whole process: when a counter was made says nothing that its resets do not.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry: Final = registry
        self.counters: Final = {one.name: _counter(one, registry) for one in IN_PROCESS if one.kind == "counter"}
        self.histograms: Final = {one.name: _histogram(one, registry) for one in IN_PROCESS if one.kind == "histogram"}
        self.intake_lag: Final = Gauge(INTAKE_LAG.name, INTAKE_LAG.meaning, INTAKE_LAG.all_labels, registry=registry)
        build = Info(BUILD.name.removesuffix("_info"), BUILD.meaning, registry=registry)
        build.info({"version": version("toxwatch"), "python": platform.python_version()})
        ProcessCollector(registry=registry)
        self._ready = Gauge(READY.name, READY.meaning, registry=registry)

    def ready(self, is_ready: bool) -> None:
        """The process was asked whether it is ready."""
        self._ready.set(is_ready)

    def of(self, trial: str) -> TrialMetrics:
        """What is measured of one trial."""
        return TrialMetrics(self, trial)


def unmeasured(trial: str) -> TrialMetrics:
    """For what is not scraped: a command, a test."""
    return Metrics(CollectorRegistry()).of(trial)


class TrialMetrics:
    """What this process has seen of one trial. Every method may be called from any thread."""

    def __init__(self, metrics: Metrics, trial: str) -> None:
        self.process: Final = metrics
        self._trial = trial
        self._shown_of: dict[str, Iterable[int]] = {}
        for event_type in (*CLASS_BY_TYPE, UNKNOWN_TYPE):
            for outcome in get_args(Outcome):
                # A rate can be told of the very first one only where there was a 0 before it.
                self._count(EVENTS, event_type, outcome, by=0)
        for reason in get_args(TurnedAway):
            self._count(TURNED_AWAY, reason, by=0)
        for histogram in metrics.histograms.values():
            histogram.labels(trial)

    def events_total(self, type: str, outcome: Outcome, count: int = 1) -> None:  # noqa: A002 - the label's own name
        """The gateway has answered events."""
        self._count(EVENTS, type if type in CLASS_BY_TYPE else UNKNOWN_TYPE, outcome, by=count)

    def requests_turned_away_total(self, reason: TurnedAway) -> None:
        """The gateway has not taken a request with events."""
        self._count(TURNED_AWAY, reason)

    def event_to_alert_seconds(self, seconds: float) -> None:
        """An event that was received so long ago has caused an alert."""
        self._observe(EVENT_TO_ALERT, max(0.0, seconds))

    def detection_delay_seconds(self, seconds: float) -> None:
        """What was due so long ago was detected."""
        self._observe(DETECTION_DELAY, max(0.0, seconds))

    def deliveries_total(self, channel: str, outcome: str) -> None:
        """A delivery was attempted. ``channel`` is a name of the configuration, ``outcome`` a word of the dispatcher's."""
        self._count(DELIVERIES, channel, outcome)

    def monitor_batch_seconds(self, seconds: float) -> None:
        """The monitor has taken a batch."""
        self._observe(MONITOR_BATCH, seconds)

    def store_unavailable_total(self, component: str) -> None:
        """A part of Toxwatch could not use the database."""
        self._count(STORE_UNAVAILABLE, component)

    def intake_lag_events(self, topic: str, lags: Mapping[int, int]) -> None:
        """So many entries of each partition wait. What is not known now is not shown: an old number is worse than none."""
        for partition in self._shown_of.pop(topic, ()):
            self.process.intake_lag.remove(self._trial, topic, str(partition))
        for partition, lag in lags.items():
            self.process.intake_lag.labels(self._trial, topic, str(partition)).set(lag)
        self._shown_of[topic] = list(lags)

    def _count(self, declared: Declared, *labels: str, by: int = 1) -> None:
        self.process.counters[declared.name].labels(self._trial, *labels).inc(by)

    def _observe(self, declared: Declared, value: float) -> None:
        self.process.histograms[declared.name].labels(self._trial).observe(value)


def _counter(declared: Declared, registry: CollectorRegistry) -> Counter:
    return Counter(declared.name, declared.meaning, declared.all_labels, registry=registry)


def _histogram(declared: Declared, registry: CollectorRegistry) -> Histogram:
    return Histogram(declared.name, declared.meaning, declared.all_labels, buckets=declared.buckets, registry=registry)
