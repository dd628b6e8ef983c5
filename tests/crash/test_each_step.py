"""Killed between each two steps of intake, monitor, clock, relay and delivery, one step after the other: see ``checks``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import update

from events.dates import MINUTE
from projections.protocols.isi_jx import PROTOCOL
from projections.store.engine.schema import migrate
from projections.store.engine.tables import deliveries
from services.trials.protocols import find_protocol
from tests.crash.checks import faults
from tests.crash.deployment import Deployment, eventually
from tests.crash.evidence import Evidence, evidence_of
from tests.crash.load import Load
from tests.crash.receivers import Receivers
from tests.crash.settling import await_settled
from tests.crash.steps import announced_steps
from tests.crash.stories import everything

pytestmark = pytest.mark.slow

SITE: Final = "FR01"
UNDELIVERED: Final = ("undelivered.told", "undelivered.committed")
#: Those of a move to Kafka are passed by another process (tests/log/test_migrate_log_faults.py).
STEPS: Final = [step for step in announced_steps() if not step.startswith("migration.")]
OTHER_RULES: Final = ("rules.judged", "rules.committed")
#: One life after the other, the process kills itself when it passes the step for the N-th time.
KILLS: Final = (1, 2)
#: Steps that a process passes once at most.
ONCE: Final = {"activation.appended": (1, 1), "reconciled": (1, 1), "rules.judged": (1, 1), "rules.committed": (1,)}
#: Killed here, a message has been taken, and nobody knows.
REPEATING: Final = ("delivery.sent", "delivery.outcome-written")
#: Day 1 to 3 instead of 35: what was dose-limiting is no longer, and every alert of it is withdrawn.
SHORT_WINDOW: Final = 'base = "isi-jx"\nversion = "2"\nwindow_days = 3\n'


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment that was never started, on a database without tables."""
    with Receivers() as receivers, Deployment(tmp_path, receivers) as deployment:
        yield deployment


@pytest.mark.parametrize("step", [step for step in STEPS if step not in UNDELIVERED + OTHER_RULES])
def test_killed_at(step: str, deployment: Deployment) -> None:
    """Under load, in two lives; the third comes to its end."""
    with deployment.database() as database:
        migrate(database)
    with Load(deployment, deployment.make_keys([SITE]), life=everything, whole_lives_min=2) as load:
        _killed_at(step, deployment)
        deployment.start()
    evidence = _comes_to_a_good_end(deployment, load)
    if step in REPEATING:
        taken = Counter(receipt.id for receipt in evidence.receipts if receipt.was_taken)
        assert max(taken.values()) > 1, "what was sent and not yet written down is sent again"


@pytest.mark.parametrize("step", UNDELIVERED)
def test_killed_while_telling_of_what_is_not_delivered(step: str, deployment: Deployment) -> None:
    """Alerts that nobody takes; ten minutes later (the rows are set back) it is told of that, and then they are taken."""
    load = _lived_through(deployment, refusing=1.0)
    with deployment.database() as database, database.writing() as connection:
        sooner = {"not_before": deliveries.c.not_before - 10 * MINUTE}
        connection.execute(update(deliveries).where(deliveries.c.state == "waiting").values(**sooner))
    deployment.begin(f"{step}:1")
    deployment.await_own_death()
    deployment.receivers.refusing = 0.0
    deployment.begin(f"{step}:1")
    deployment.await_own_death()
    deployment.start()
    evidence = _comes_to_a_good_end(deployment, load)
    told = [row.kind for row in evidence.history if row.case_name.startswith("undelivered:")]
    assert told.count("raised") == told.count("withdrawn") > 0


@pytest.mark.parametrize("step", OTHER_RULES)
def test_killed_while_judging_under_other_rules(step: str, deployment: Deployment) -> None:
    """The window is shorter from now on: each subject is judged again once, and what was told is withdrawn."""
    load = _lived_through(deployment)
    rules = deployment.home / "short.toml"
    rules.write_text(SHORT_WINDOW)
    deployment.options = ["--protocol", str(rules)]
    _killed_at(step, deployment)
    deployment.start()
    _comes_to_a_good_end(deployment, load, rules)


def test_every_step_of_the_issue_is_announced() -> None:
    """Within and after the transactions of intake, monitor, clock and relay; and along a delivery."""
    stages = {step.partition(".")[0] for step in announced_steps()}
    assert stages >= {"intake", "monitor", "clock", "relay", "plan", "delivery", "rules", "undelivered", "activation"}
    assert set(ONCE) <= set(announced_steps())
    assert {*UNDELIVERED, *OTHER_RULES} <= set(announced_steps())


def _killed_at(step: str, deployment: Deployment) -> None:
    for times in ONCE.get(step, KILLS):
        deployment.begin(f"{step}:{times}")
        deployment.await_listening()
        deployment.await_own_death()


def _lived_through(deployment: Deployment, refusing: float = 0.0) -> Load:
    """One life in which two subjects are told of, stopped once it has nothing left to do but what nobody takes."""
    deployment.receivers.refusing = refusing
    deployment.start()
    with Load(deployment, deployment.make_keys([SITE]), life=everything, whole_lives_min=2) as load:
        """Until both are told of."""
    if refusing:
        eventually(lambda: deployment.receivers.of("hook") and deployment.receivers.of("mail"))
    else:
        await_settled(deployment)
    deployment.stop()
    return load


def _comes_to_a_good_end(deployment: Deployment, load: Load, rules: Path | None = None) -> Evidence:
    await_settled(deployment)
    deployment.stop()
    evidence = evidence_of(deployment, load.book)
    if rules is not None:
        protocols = (PROTOCOL, find_protocol(str(rules)))
        evidence = evidence_of(deployment, load.book, protocols=protocols, protocol_option=str(rules))
    assert faults(evidence) == []
    return evidence
