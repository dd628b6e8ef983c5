"""Open questions, over HTTP and on the command line: what ``assess`` asks, to whom it is asked, and until it is answered."""

from __future__ import annotations

import json
from pathlib import Path

from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from services.cli.main import create_app
from tests.api.serving import reading
from tests.cli.command_line import run
from tests.monitor.deployment import Deployment
from tests.monitor.events import sepsis, treated
from tests.properties.stories import on


def _asking(database: Database) -> Deployment:
    """Somebody at each of two sites of whom it is not known whether the adverse event was related."""
    deployment = Deployment(database)
    for subject in ("FR01-001", "FR02-001"):
        deployment.receive([*treated(subject), sepsis(subject, on(6), causality=None)])
    deployment.run()
    return deployment


def test_what_is_asked_is_what_the_assessment_asks(database: Database) -> None:
    """Each with its site; one subject's, or one site's, on request."""
    _asking(database)
    with reading(database) as ask:
        queries = ask.read("/v1/queries")["queries"]
        asked = ask.read("/v1/assessment")["queries"]
        assert [{key: query[key] for key in ("subject", "record", "question")} for query in queries] == asked
        assert {(query["site"], query["subject"]) for query in queries} == {("FR01", "FR01-001"), ("FR02", "FR02-001")}
        assert any("pexa-vec" in query["question"] and query["record"] == "ae:AE-1" for query in queries)
        assert {q["subject"] for q in ask.read("/v1/queries", subject="FR02-001")["queries"]} == {"FR02-001"}
        assert {q["site"] for q in ask.read("/v1/queries", site="FR01")["queries"]} == {"FR01"}
        assert ask.read("/v1/queries", site="FR09") == {"queries": []}


def test_a_site_sees_only_what_is_asked_of_it(database: Database) -> None:
    """Also where it names another's subject, or another site."""
    _asking(database)
    with reading(database) as ask:
        own = ask.get("/v1/queries", "site-FR01").json()["queries"]
        assert {query["subject"] for query in own} == {"FR01-001"}
        for path in ("/v1/queries?subject=FR02-001", "/v1/queries?site=FR02"):
            assert ask.get(path, "site-FR01").json() == {"queries": []}


def test_the_event_that_answers_a_question_closes_it(database: Database) -> None:
    deployment = _asking(database)
    deployment.receive([sepsis("FR01-001", on(7), revision=2)])
    deployment.run()
    with reading(database) as ask:
        assert {query["subject"] for query in ask.read("/v1/queries")["queries"]} == {"FR02-001"}


def test_the_command_lists_them(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'toxwatch.db'}")
    migrate(database)
    _asking(database)
    database.close()
    at = ("--data", str(tmp_path), "--as-of", on(8))
    listed = run(create_app(), "queries", *at, "--format", "json")
    assert listed.code == 0, listed.err
    assert {query["site"] for query in json.loads(listed.out)} == {"FR01", "FR02"}
    lines = run(create_app(), "queries", *at, "--format", "ndjson", "--site", "FR01").out.splitlines()
    assert {json.loads(line)["subject"] for line in lines} == {"FR01-001"}
    assert "FR02-001" in run(create_app(), "queries", *at, "--subject", "FR02-001").out
