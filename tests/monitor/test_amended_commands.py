"""The law as an operator can see it, for a deployment with amendments: what the commands print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from events.dates import format_instant
from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from services.trials.protocols import find_protocol
from tests.files.command_line import toxwatch
from tests.monitor.deployment import COMPARED, Deployment
from tests.properties.test_amendments import AMENDMENTS, amended_timeline


@pytest.mark.parametrize("seed", [18])
def test_export_assess_and_assessment_print_the_same(tmp_path: Path, seed: int) -> None:
    """With the protocol's file as a setting, each subject is judged by their own version in both."""
    file = tmp_path / "amended.json"
    file.write_text(json.dumps({"base": "isi-jx", "amendment": AMENDMENTS}), encoding="utf-8")
    database = Database(f"sqlite:///{tmp_path / 'toxwatch.db'}")
    migrate(database)
    deployment = Deployment(database, find_protocol(str(file)))
    deployment.receive(amended_timeline(seed))
    deployment.run()
    as_of = format_instant(deployment.clock.now())
    database.close()

    def printed(*arguments: str, stdin: bytes = b"") -> str:
        outcome = toxwatch(*arguments, stdin=stdin, environment={"TOXWATCH_PROTOCOL": str(file)})
        assert outcome.code == 0, outcome.err
        return outcome.out

    log = printed("export", "--data", str(tmp_path)).encode()
    asked = ("--as-of", as_of, "--format", "json")
    assessed: dict[str, Any] = json.loads(printed("assess", "-", *asked, stdin=log))
    stored: dict[str, Any] = json.loads(printed("assessment", "--data", str(tmp_path), *asked))
    names = (*COMPARED, "protocol", "protocol_version")
    assert {name: stored[name] for name in names} == {name: assessed[name] for name in names}
    assert len({case["protocol_version"] for case in stored["cases"]}) > 1
