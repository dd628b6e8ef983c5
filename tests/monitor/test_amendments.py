"""A living deployment whose protocol is amended: who is judged anew, what is told, and that the law still holds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from events.alert import AlertEvent
from events.codec import Logged
from events.dates import DAY
from projections.folds.trial import Trial
from projections.protocols.isi_jx import PROTOCOL
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.rebuild.rebuild import Rebuild
from projections.store.rebuild.verify import differences
from services.maintenance.rebuilding import reading_of
from services.monitor.monitor import CONSUMER
from services.trials.rules_version import configuration_hash
from tests.monitor.deployment import SOURCE, Deployment
from tests.monitor.events import event, sepsis, treated
from tests.properties.draws import Draw
from tests.properties.stories import on
from tests.properties.test_amendments import AMENDED, amended_timeline

SHORTER: Final = PROTOCOL.amended("2", "2017-03-01", window_days=7)
SHORTER_FOR_EVERYONE: Final = PROTOCOL.amended("2", "2017-03-01", window_days=7, applies_to="everyone")


def enrolled(subject: str, date: str, revision: int = 1, *, level: int = 1, **said: str) -> Logged:
    data = {"revision": revision, "part": "A", "dose_level": level, "enrolled": date, **said}
    return event("subject.enrolled", subject, f"{subject}-e{revision}", on(30 + revision), data)


def told_since(deployment: Deployment, known: int) -> list[AlertEvent]:
    return deployment.told()[known:]


def with_late_toxicity(database: Database, count: int = 1) -> Deployment:
    """Subjects enrolled on 1 February, each with a toxicity on day 10: in the window of version 1 alone."""
    deployment = Deployment(database)
    for number in range(1, count + 1):
        subject = f"FR01-{number:03d}"
        deployment.receive([*treated(subject, level=number), sepsis(subject, on(12), onset=on(10), end=on(11))])
    deployment.run()
    assert [told.type for told in deployment.told()] == ["toxwatch.alert.raised.v1"] * count
    return deployment


def amended(deployment: Deployment, protocol: TrialProtocol) -> Deployment:
    """The same deployment, started again with an amendment."""
    later = Deployment(deployment.database, protocol)
    later.clock.instant = deployment.clock.instant
    later.run()
    return later


def assert_law(deployment: Deployment, path: Path) -> None:
    now = deployment.clock.now()
    for as_of in (now - 20 * DAY, now, now + 60 * DAY):
        for axis in ("recorded", "received"):
            from_log = deployment.judged_from_log(path, as_of, axis)
            assert deployment.assessed(as_of, axis) == from_log, (as_of, axis)


def assert_nothing_differs(deployment: Deployment) -> None:
    """The stored rows are those that the log gives."""
    rules = configuration_hash(deployment.protocol)
    read = reading_of(deployment.log, deployment.protocol)
    rebuild = Rebuild(deployment.database, Trial(deployment.protocol, SOURCE), rules, read, 1, CONSUMER)
    with rebuild.aside(deployment.clock.now()), rebuild.snapshot(deployment.clock.now) as connection:
        assert list(differences(connection, rebuild.generation)) == []


@pytest.mark.parametrize("seed", [10, 18])
def test_the_law_holds_with_amendments(database: Database, seed: int, tmp_path: Path) -> None:
    """Live, in batches of any size, with the clock firing: the same as assess says of the exported log."""
    draw = Draw(seed)
    deployment = Deployment(database, AMENDED)
    events = amended_timeline(seed)
    for logged in events:
        deployment.receive([logged])
        if draw.chance(0.4):
            deployment.pass_time(logged.time)
            deployment.run(draw.number(1, 7))
    deployment.run()
    deployment.pass_time(deployment.clock.now() + 30 * DAY)
    assert_law(deployment, tmp_path / "log.ndjson")


def test_an_amendment_alone_tells_nobody_anything(database: Database, tmp_path: Path) -> None:
    """Who was enrolled under the old version goes on under it; who is enrolled from now on is judged by the new one."""
    deployment = with_late_toxicity(database)
    later = amended(deployment, SHORTER)
    assert told_since(later, 1) == []
    later.receive(
        [
            enrolled("FR01-002", "2017-03-02", level=2),
            *treated("FR01-002", level=2)[1:],
            sepsis("FR01-002", on(32), onset=on(3), end=on(4)),
        ]
    )
    later.run()
    (raised,) = told_since(later, 1)
    assert (raised.subject, raised.data.protocol_version) == ("FR01-002", "2")
    assert_law(later, tmp_path / "log.ndjson")
    assert_nothing_differs(later)


def test_an_amendment_for_everyone_moves_all_with_reasons(database: Database, tmp_path: Path) -> None:
    """What is no finding any more is withdrawn, and the activation of the amendment is the cause."""
    deployment = with_late_toxicity(database, 3)
    later = amended(deployment, SHORTER_FOR_EVERYONE)
    told = told_since(later, 3)
    assert [(each.type.split(".")[2], each.data.telling, each.data.protocol_version) for each in told] == [
        ("withdrawn", "quiet", "2")
    ] * 3
    assert {each.data.caused_by.source for each in told} == {SOURCE}
    assert {change.what for each in told for change in each.data.changes} >= {"DLT-1", "protocol version"}
    assert_law(later, tmp_path / "log.ndjson")
    assert_nothing_differs(later)


def test_consent_to_an_amendment_moves_one_subject_and_the_alert_says_so(database: Database, tmp_path: Path) -> None:
    """The toxicity on day 3 is in both windows: the alert stands, and its revision names the version."""
    deployment = Deployment(database, SHORTER)
    for subject in ("FR01-001", "FR01-002"):
        deployment.receive([*treated(subject), sepsis(subject, on(12))])
    deployment.run()
    known = len(deployment.told())
    deployment.receive([enrolled("FR01-001", "2017-02-01", 2, protocol_version="2")])
    deployment.run()
    (revised,) = told_since(deployment, known)
    assert (revised.type, revised.subject) == ("toxwatch.alert.revised.v1", "FR01-001")
    assert (revised.data.verdict, revised.data.protocol_version, revised.data.telling) == ("met", "2", "silent")
    changes = [(change.what, change.before, change.after) for change in revised.data.changes]
    assert ("protocol version", "1", "2") in changes
    assert_law(deployment, tmp_path / "log.ndjson")
