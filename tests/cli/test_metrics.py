"""Metrics: each of operating.md is there, named as Prometheus wants it, right, and without a word that a sender chose."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text, update

from events.dates import DAY, HOUR, MINUTE, SECOND
from projections.store.engine.database import Database
from projections.store.engine.tables import (
    dead_letters,
    deadlines,
    deliveries,
    disabled_channels,
    findings,
    generations,
    parked_subjects,
    positions,
    source_sites,
)
from services.log.embedded import EmbeddedLog
from services.log.port import NewEntry
from services.monitor.relay import Relay
from services.platform import metrics as declarations
from services.platform.metrics import FROM_STORE, IN_PROCESS, Metrics, TrialMetrics
from services.runtime.metrics_store import KEPT_SECONDS, READERS, StoreCollector
from tests.cli.stores import NOW, SetClock, put, store_at, tell_system_alert

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

PROMISED = {
    "toxwatch_events_total": ("counter", {"type", "outcome"}),
    "toxwatch_event_to_alert_seconds": ("histogram", set()),
    "toxwatch_detection_delay_seconds": ("histogram", set()),
    "toxwatch_alerts_total": ("counter", {"verdict", "action"}),
    "toxwatch_open_cases": ("gauge", {"verdict"}),
    "toxwatch_deadlines_overdue": ("gauge", set()),
    "toxwatch_deliveries_total": ("counter", {"channel", "outcome"}),
    "toxwatch_oldest_undelivered_seconds": ("gauge", set()),
    "toxwatch_oldest_unacknowledged_seconds": ("gauge", set()),
    "toxwatch_log_lag_events": ("gauge", {"partition"}),
    "toxwatch_dead_letters_total": ("counter", {"reason"}),
    "toxwatch_site_silence_seconds": ("gauge", {"site"}),
    "toxwatch_build_info": ("info", {"version", "python"}),
}
SUBJECT, TRIAL = "FR01-001", "NCT02977156"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty store, of either kind."""
    with store_at(database_url) as store:
        yield store


def _registry(database: Database, clock: SetClock | None = None) -> tuple[TrialMetrics, CollectorRegistry]:
    registry = CollectorRegistry()
    metrics = Metrics(registry).of(TRIAL)
    registry.register(StoreCollector(TRIAL, database, clock or SetClock()))
    return metrics, registry


def _scrape(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def _samples(scraped: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(scraped)
        for sample in family.samples
    }


def _read(database: Database, clock: SetClock | None = None) -> Samples:
    return _samples(_scrape(_registry(database, clock)[1]))


def _value(samples: Samples, name: str, **labels: str) -> float | None:
    is_of_process = any(one.name == f"toxwatch_{name}" and one.is_of_process for one in (*IN_PROCESS, *FROM_STORE))
    all_labels = labels if is_of_process else labels | {"trial": TRIAL}
    return samples.get((f"toxwatch_{name}", tuple(sorted(all_labels.items()))))


def test_every_metric_of_the_interface_is_declared() -> None:
    """With the type and the labels that dashboards are written for."""
    declared = {one.name: (one.kind, set(one.all_labels)) for one in (*IN_PROCESS, *FROM_STORE)}
    promised = {
        name: (kind, labels if name == "toxwatch_build_info" else labels | {"trial"})
        for name, (kind, labels) in PROMISED.items()
    }
    assert {name: declared.get(name) for name in promised} == promised


def test_every_declared_metric_is_scraped_with_its_sentence(database: Database) -> None:
    """None is declared in vain, and none has a sentence or a type of its own."""
    lines = _scrape(_registry(database)[1]).splitlines()
    for one in (*IN_PROCESS, *FROM_STORE):
        kind = "gauge" if one.kind == "info" else one.kind
        assert f"# HELP {one.name} {one.meaning}" in lines
        assert f"# TYPE {one.name} {kind}" in lines
    assert {name.partition(" ")[2].split()[1] for name in lines if name.startswith("# TYPE toxwatch")} == {
        one.name for one in (*IN_PROCESS, *FROM_STORE)
    }


def test_what_is_declared_is_all_there_is() -> None:
    """Every declaration of the module is in one of the two lists, and each of the store's is read by somebody."""
    listed = {one.name for one in (*IN_PROCESS, *FROM_STORE)}
    assert listed == {each.name for each in vars(declarations).values() if isinstance(each, declarations.Declared)}
    read = {declared.name for declared, _ in READERS} | {"toxwatch_store_up", "toxwatch_clock_leap_seconds"}
    # Of a log and a position, wherever the log is.
    read |= {"toxwatch_log_lag_events", "toxwatch_alert_log_lag_events"}
    # Of files, and of a server.
    read |= {"toxwatch_database_bytes", "toxwatch_disk_free_bytes"}
    assert read == {one.name for one in FROM_STORE}


@pytest.mark.parametrize("one", [*IN_PROCESS, *FROM_STORE], ids=lambda one: one.name)
def test_names_follow_the_rules(one: declarations.Declared) -> None:
    """Our prefix, snake case, base units, ``_total`` for counters and for nothing else, a whole sentence."""
    assert one.name.startswith("toxwatch_")
    assert one.name.replace("_", "").isalnum()
    assert one.name == one.name.lower()
    assert (one.kind == "counter") == one.name.endswith("_total")
    assert (one.unit == "seconds") == one.name.endswith("_seconds")
    assert (one.kind == "histogram") == bool(one.buckets)
    assert one.meaning.endswith(".")
    assert one.meaning[0].isupper() or one.meaning[0].isdigit()
    assert not set(one.labels) & {"subject", "subject_id", "id", "event_id", "case", "source", "le", "job", "instance"}


def test_promtool_finds_nothing_to_complain_of(database: Database) -> None:
    """Prometheus' own linter, where it is installed (CI installs it)."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    _fill(database)
    metrics, registry = _registry(database)
    _observe_all(metrics)
    checked = subprocess.run([promtool, "check", "metrics"], input=generate_latest(registry), capture_output=True)
    ours = [line for line in (checked.stdout + checked.stderr).decode().splitlines() if "toxwatch" in line]
    assert ours == []
    assert checked.returncode == 0, checked.stderr


def _observe_all(metrics: TrialMetrics) -> None:
    metrics.events_total("toxwatch.lab.resulted.v1", "accepted", 500)
    metrics.events_total(SUBJECT, "refused")
    metrics.event_to_alert_seconds(0.02)
    metrics.detection_delay_seconds(-0.5)
    metrics.deliveries_total("mail", "delivered")
    metrics.monitor_batch_seconds(0.1)
    metrics.store_unavailable_total("gateway")


def test_what_this_process_has_seen_is_counted(database: Database) -> None:
    """An event type that is none of ours is not taken for a label; a delay is never negative."""
    metrics, registry = _registry(database)
    _observe_all(metrics)
    samples = _samples(_scrape(registry))
    assert _value(samples, "events_total", type="toxwatch.lab.resulted.v1", outcome="accepted") == 500
    assert _value(samples, "events_total", type="toxwatch.lab.resulted.v1", outcome="refused") == 0
    assert _value(samples, "events_total", type="unknown", outcome="refused") == 1
    assert _value(samples, "event_to_alert_seconds_sum") == pytest.approx(0.02)
    assert _value(samples, "detection_delay_seconds_sum") == 0
    assert _value(samples, "deliveries_total", channel="mail", outcome="delivered") == 1
    assert _value(samples, "monitor_batch_seconds_count") == 1
    assert _value(samples, "store_unavailable_total", component="gateway") == 1


def test_two_processes_have_nothing_in_common(database: Database) -> None:
    """There is no registry that is everybody's."""
    first, _ = _registry(database)
    _, second = _registry(database)
    first.deliveries_total("mail", "delivered")
    assert _value(_samples(_scrape(second)), "deliveries_total", channel="mail", outcome="delivered") is None


def test_an_empty_store_says_so(database: Database) -> None:
    """Zeros where nothing is known to be there, so that an alert rule has something to compare."""
    samples = _read(database)
    for name in ("deadlines_overdue", "oldest_undelivered_seconds", "oldest_unacknowledged_seconds", "outbox_alerts"):
        assert _value(samples, name) == 0
    assert [_value(samples, "open_cases", verdict=verdict) for verdict in ("met", "possible", "watch")] == [0, 0, 0]
    assert _value(samples, "log_lag_events", partition="0") == 0
    assert _value(samples, "store_up") == 1


def _fill(database: Database) -> None:
    """Something of everything, a subject's id in every place where there is one."""
    with database.writing() as connection:
        for offset in range(7):
            entry = NewEntry(f"T/{SUBJECT}", SUBJECT, "urn:site:FR01", f"{SUBJECT}-{offset}", b"{}")
            EmbeddedLog(database, "clinical").append([entry], connection)
        put(connection, positions, consumer="monitor", partition=0, next_offset=4)
        put(connection, generations, generation=2, is_current=False)
        for generation, number, verdict in ((1, 1, "met"), (1, 2, "met"), (1, 3, "watch"), (1, 4, None), (2, 5, "met")):
            case = f"ae:{SUBJECT}-{number}"
            put(connection, findings, generation=generation, subject=SUBJECT, case_name=case, verdict=verdict)
        for number, (due, fired) in enumerate(((NOW, False), (NOW - HOUR, True), (NOW + 1, False))):
            case = f"ae:{number}"
            put(connection, deadlines, generation=1, subject=SUBJECT, case_name=case, due=due, is_fired=fired)
        for number, (reason, is_severe, state) in enumerate(
            (("bad-field", True, "parked"), ("bad-field", True, "settled"), ("not-json", False, "parked"))
        ):
            letter = {"reason": reason, "is_severe": is_severe, "state": state, "error": f"{SUBJECT} is dead"}
            put(connection, dead_letters, fingerprint=str(number), subject=SUBJECT, times=3, **letter)
        put(connection, parked_subjects, subject=SUBJECT)
        put(connection, source_sites, source="urn:a", site="FR01", first_used_at=NOW - DAY, last_used_at=NOW - HOUR)
        put(connection, source_sites, source="urn:b", site="FR01", first_used_at=NOW - DAY, last_used_at=NOW - MINUTE)
        put(connection, source_sites, source="urn:c", site="FR02", first_used_at=NOW - 2 * DAY)
        put(connection, disabled_channels, channel="hook")
        told = tell_system_alert(connection, f"intake:{SUBJECT}", [f"{SUBJECT} died"], NOW - 3 * HOUR)
        told = tell_system_alert(connection, f"intake:{SUBJECT}", [f"{SUBJECT} died?"], NOW - 2 * HOUR, told)
        tell_system_alert(connection, f"intake:{SUBJECT}", None, NOW - 90 * MINUTE, told)
        tell_system_alert(connection, "unwatched:FR01-002", ["FR01-002 is not watched"], NOW - HOUR)


def test_the_store_is_read_as_it_stands(database: Database) -> None:
    """Each number by hand; those of a generation that is being rebuilt do not count."""
    _fill(database)
    samples = _read(database, SetClock(leap=7200.0))
    assert _value(samples, "open_cases", verdict="met") == 2
    assert _value(samples, "open_cases", verdict="possible") == 0
    assert _value(samples, "open_cases", verdict="watch") == 1
    assert _value(samples, "deadlines_overdue") == 1
    assert _value(samples, "log_lag_events", partition="0") == 3
    assert _value(samples, "dead_letters_total", reason="bad-field") == 2
    assert _value(samples, "dead_letters_total", reason="not-json") == 1
    assert _value(samples, "severe_dead_letters_open") == 1
    assert _value(samples, "parked_subjects") == 1
    assert _value(samples, "channels_disabled") == 1
    assert _value(samples, "site_silence_seconds", site="FR01") == 60
    assert _value(samples, "site_silence_seconds", site="FR02") == 2 * 86_400
    assert _value(samples, "alerts_total", verdict="none", action="raised") == 2
    assert _value(samples, "alerts_total", verdict="none", action="revised") == 1
    assert _value(samples, "alerts_total", verdict="none", action="withdrawn") == 1
    assert _value(samples, "outbox_alerts") == 4
    assert _value(samples, "oldest_unacknowledged_seconds") == 3600
    assert _value(samples, "clock_leap_seconds") == 7200


def test_no_subject_is_in_a_metric(database: Database) -> None:
    """Whatever is in the store, and whatever a sender calls his event type."""
    _fill(database)
    metrics, registry = _registry(database)
    _observe_all(metrics)
    with database.reading() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM alert_events WHERE case_name LIKE '%{SUBJECT}'")) == 3
    assert "FR01-0" not in _scrape(registry)


def test_an_alert_that_was_not_delivered_cannot_hide(database: Database) -> None:
    """Not in the outbox, not in the alert log before the dispatcher, not among what is planned; a wait that was meant may."""
    clock = SetClock()
    with database.writing() as connection:
        tell_system_alert(connection, "intake:1", ["severe"], NOW - 10 * SECOND)
    assert _value(_read(database), "oldest_undelivered_seconds") == 10, "in the outbox"
    Relay(database, EmbeddedLog(database, "alerts")).relay()
    samples = _read(database)
    assert _value(samples, "outbox_alerts") == 0
    assert _value(samples, "alert_log_lag_events", partition="0") == 1
    assert _value(samples, "oldest_undelivered_seconds") == 10, "in the alert log, and no dispatcher has ever run"
    with database.writing() as connection:
        put(connection, positions, consumer="dispatcher", partition=0, next_offset=1)
        common = {"alert_id": "a", "recipient": "r", "channel": "c"}
        put(connection, deliveries, id="1", revision=1, state="waiting", not_before=NOW - 5 * SECOND, **common)
        put(connection, deliveries, id="2", revision=2, state="waiting", not_before=NOW + HOUR, **common)
        put(connection, deliveries, id="3", revision=3, state="delivered", not_before=NOW - DAY, **common)
    assert _value(_read(database), "oldest_undelivered_seconds") == 5, "planned, and waiting"
    with database.writing() as connection:
        connection.execute(update(deliveries).where(deliveries.c.id == "1").values(state="delivered"))
    assert _value(_read(database), "oldest_undelivered_seconds") == 0, "the other is not due yet"
    clock.instant += 2 * HOUR
    assert _value(_read(database, clock), "oldest_undelivered_seconds") == 3600


def test_a_restart_loses_no_count_of_alerts_and_letters(database: Database) -> None:
    """They are what the database says, not what a process remembers."""
    _fill(database)
    before = _read(database)
    with_new_process = Database(database.url)
    after = _read(with_new_process)
    with_new_process.close()
    names = ("toxwatch_alerts_total", "toxwatch_dead_letters_total")
    assert {key: value for key, value in before.items() if key[0] in names}
    assert [after[key] for key in before if key[0] in names] == [before[key] for key in before if key[0] in names]


def test_one_reading_is_given_to_all_who_scrape_at_once(database: Database) -> None:
    """For a second: a scraper in a hurry is no load."""
    collector = StoreCollector(TRIAL, database, SetClock())
    first = list(collector.collect())
    with database.writing() as connection:
        put(connection, parked_subjects, subject=SUBJECT)
    assert KEPT_SECONDS >= 1
    assert list(collector.collect()) == first


@pytest.mark.parametrize("fault", ["no tables", "no file", "not a database"])
def test_a_broken_database_does_not_break_the_scrape(fault: str, tmp_path: Path) -> None:
    """What the process itself knows is told, and that the store is down; nothing old is passed off as new."""
    path = tmp_path / "broken" / "toxwatch.db"
    if fault == "not a database":
        path.parent.mkdir()
        path.write_bytes(b"not a database, whatever its name says. " * 100)
    store = Database(f"sqlite:///{path}")
    if fault == "no file":
        path.parent.rmdir()
    metrics, registry = _registry(store, SetClock(leap=-7200.0))
    _observe_all(metrics)
    samples = _samples(_scrape(registry))
    store.close()
    assert _value(samples, "store_up") == 0
    assert _value(samples, "open_cases", verdict="met") is None
    assert _value(samples, "monitor_batch_seconds_count") == 1
    assert _value(samples, "clock_leap_seconds") == -7200


def test_the_scrape_recovers_with_the_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a restart."""
    monkeypatch.setattr("services.runtime.metrics_store.KEPT_SECONDS", 0.0)
    _, registry = _registry(database)
    with database.writing() as connection:
        connection.execute(text("ALTER TABLE findings RENAME TO aside"))
    assert _value(_samples(_scrape(registry)), "store_up") == 0
    with database.writing() as connection:
        connection.execute(text("ALTER TABLE aside RENAME TO findings"))
    assert _value(_samples(_scrape(registry)), "store_up") == 1
