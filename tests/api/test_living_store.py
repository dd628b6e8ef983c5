"""What is read of a store that a real monitor has filled: the assessment, and alerts with all their evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from events.dates import DAY, Instant, format_instant
from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from services.files.log_reading import read_log
from services.terminal.options import Axis
from tests.api.serving import reading
from tests.monitor.deployment import Deployment
from tests.properties.timelines import random_timeline

#: Stories in which somebody is told something.
SEEDS = (3, 5, 11)


def _lived(database: Database, seed: int) -> tuple[Deployment, Instant]:
    """A random timeline lived through, with the clock firing and everything sent; and its end."""
    deployment = Deployment(database)
    events = random_timeline(seed)
    deployment.receive(events)
    deployment.run()
    end = max(logged.time for logged in events)
    deployment.pass_time(end + DAY)
    deployment.run()
    while deployment.relay.relay():
        pass
    return deployment, end


def _by_order(document: dict[str, Any]) -> dict[str, Any]:
    return {key: sorted(value, key=json.dumps) if isinstance(value, list) else value for key, value in document.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_assessment_is_what_assess_says_of_the_exported_log(database: Database, seed: int, tmp_path: Path) -> None:
    """The whole document, header included, at any instant and on both axes; of one subject, only its own."""
    deployment, end = _lived(database, seed)
    log = str(deployment.export(tmp_path / "log.ndjson"))
    with reading(database) as ask:
        for as_of in (end - 20 * DAY, end, end + 60 * DAY):
            for axis in Axis:
                read = ask.read("/v1/assessment", as_of=format_instant(as_of), as_of_axis=axis.value)
                said = read_log([log], deployment.protocol, as_of, axis).as_json()
                assert _by_order(read) == {**_by_order(said), "refused": []}
        whole = ask.read("/v1/assessment", as_of=format_instant(end))
        for subject in {case["subject"] for case in whole["cases"]}:
            own = ask.read("/v1/assessment", as_of=format_instant(end), subject=subject)
            assert own["cases"] == [case for case in whole["cases"] if case["subject"] == subject]
            assert own["cohorts"] == whole["cohorts"]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_alert_has_all_its_evidence_and_its_whole_history(database: Database, seed: int) -> None:
    """Every event that a reason rests on is there, and every revision since the first."""
    _lived(database, seed)
    with reading(database) as ask:
        alerts = ask.read("/v1/alerts", limit=500)["alerts"]
        assert alerts
        for alert in alerts:
            whole = ask.read(f"/v1/alerts/{alert['alert_id']}")
            assert {key: whole[key] for key in alert} == alert
            shown = [(entry["source"], entry["id"]) for entry in whole["evidence_events"]]
            assert shown == [(ref["source"], ref["id"]) for ref in alert["evidence"]]
            for entry in whole["evidence_events"]:
                assert (entry["event"]["source"], entry["event"]["id"]) == (entry["source"], entry["id"])
            revisions = [entry["event"]["data"]["revision"] for entry in whole["history"]]
            assert revisions == list(range(1, alert["revision"] + 1))


def test_without_an_instant_it_is_judged_now(database: Database) -> None:
    """By the clock of the deployment."""
    _lived(database, SEEDS[0])
    with reading(database) as ask:
        assert ask.read("/v1/assessment")["as_of"] == "2017-03-20T09:00:00Z"


def test_a_store_that_was_never_run_on_is_not_ready(database: Database) -> None:
    """There is nothing to judge yet; ask again."""
    with reading(database) as ask:
        answer = ask.get("/v1/assessment")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert ask.read("/v1/alerts") == {"alerts": [], "next": None}


def test_a_store_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    """503 with when to come back; and once it is back, the answer."""
    path = tmp_path / "toxwatch.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    _lived(database, SEEDS[0])
    with reading(database) as ask:
        assert ask.read("/v1/alerts")["alerts"]
        database.close()
        away = path.rename(path.with_suffix(".away"))
        path.mkdir()
        for url in ("/v1/alerts", "/v1/alerts/stream", "/v1/status", "/v1/dead-letters", "/v1/assessment"):
            answer = ask.get(url)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert answer.headers["retry-after"]
        database.close()
        path.rmdir()
        away.rename(path)
        assert ask.read("/v1/alerts")["alerts"]
    database.close()
