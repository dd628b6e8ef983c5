"""Killed at random points under a steady load: what the random tests and the soak run."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Final, NamedTuple

from tests.crash.checks import faults
from tests.crash.deployment import Deployment, Ending
from tests.crash.evidence import Evidence, evidence_of
from tests.crash.load import SPONSOR, Load
from tests.crash.receivers import Receivers
from tests.crash.settling import await_settled
from tests.neighbours.outlandish import hostile_life

SITES: Final = ["FR01", "FR02", "FR03"]
#: Sends outlandish events that the contract allows.
HOSTILE: Final = "FR09"
#: Of the kills, the share that strikes while the process is still starting.
STARTING_SHARE: Final = 0.2
#: One life in so many is ended in good order.
STOPPED_SHARE: Final = 0.15
LIFE_SECONDS_MAX: Final = 1.5
START_SECONDS_USUAL: Final = 2.5


class Ordeal(NamedTuple):
    """What a run came to."""

    evidence: Evidence
    faults: list[str]

    def __str__(self) -> str:
        book, endings = self.evidence.book, self.evidence.endings
        said = f"{len(book.answers)} events answered, {len(self.evidence.alert_log)} alert events"
        said += f", {len(self.evidence.receipts)} messages, {book.put_off} times put off"
        return f"{endings.count(Ending.KILLED)} kills, {endings.count(Ending.STOPPED)} stops, {said}"


def ordeal(
    home: Path, seed: int, kills: int, progress: Callable[[str], None] = lambda _: None, *, hostile: bool = True
) -> Ordeal:
    """Run under load, killed so many times and stopped now and then; let it settle, stop it, and check everything.

    ``hostile``: one more site sends outlandish events that the contract allows.
    """
    chance = random.Random(seed)
    with Receivers(seed, refusing=0.05, slow=0.1) as receivers, Deployment(home, receivers) as deployment:
        deployment.start()
        with (
            Load(deployment, deployment.make_keys(SITES, SPONSOR), seed) as load,
            Load(deployment, deployment.make_keys([HOSTILE]), seed, hostile_life, book=load.book)
            if hostile
            else nullcontext(),
        ):
            while deployment.kills < kills:
                _end_and_start(deployment, chance)
                progress(f"{deployment.kills} kills, {len(load.book.answers)} events answered")
        await_settled(deployment)
        deployment.stop()
        evidence = evidence_of(deployment, load.book)
    return Ordeal(evidence, faults(evidence))


def _end_and_start(deployment: Deployment, chance: random.Random) -> None:
    """End this life at a random moment, and begin the next; some are ended before they have quite begun."""
    deployment.pause(chance.uniform(0, LIFE_SECONDS_MAX))
    if chance.random() < STOPPED_SHARE:
        deployment.stop()
    else:
        deployment.kill()
    while chance.random() < STARTING_SHARE:
        deployment.begin()
        deployment.pause(chance.uniform(0, START_SECONDS_USUAL))
        deployment.kill()
    deployment.start()
