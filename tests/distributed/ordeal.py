"""Faults of every kind under a steady load, drawn from a seed: what the test and the soak run."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.brokers import Broker, kafka_broker
from tests.crash.deployment import eventually
from tests.crash.load import SPONSOR, Load
from tests.crash.ordeal import HOSTILE
from tests.crash.receivers import Receivers
from tests.databases import crash_postgresql, new_postgresql_database, postgresql_server
from tests.distributed.evidence import FleetEvidence, evidence_of, faults
from tests.distributed.fleet import Fleet
from tests.distributed.gap import gap_is_noticed
from tests.distributed.struck_monitor import PROGRAM, STALL_FILE, STALL_SECONDS
from tests.distributed.toothless import VARIABLE
from tests.distributed.waiting import await_settled
from tests.distributed.watching import PositionsWatch
from tests.neighbours.outlandish import hostile_life

SITES: Final = ["FR01", "FR02", "FR03"]
MONITORS: Final = ("monitor-1", "monitor-2", "monitor-3")
MEMBERS: Final = (*MONITORS, "gateway", "gateway-2", "clock", "clock-2", "dispatcher", "dispatcher-2")
#: How often each kind of fault is drawn, of a hundred.
KINDS: Final = {"kill": 50, "stop": 20, "freeze": 8, "stall": 8, "broker": 6, "database": 8}
BETWEEN_SECONDS_MAX: Final = 2.0
DOWN_SECONDS_MAX: Final = 3.0
#: Beyond the session of a consumer, and beyond what a transaction may idle.
FROZEN_SECONDS: Final = (7.0, 18.0)


class Ordeal(NamedTuple):
    """What a run came to."""

    evidence: FleetEvidence
    faults: list[str]
    struck: Counter[str]

    def __str__(self) -> str:
        book = self.evidence.book
        said = f"{len(book.answers)} events answered, {len(self.evidence.alert_log)} alert events"
        twice = len(self.evidence.clinical) - len(self.evidence.log)
        return f"{dict(self.struck)}; {said}, {twice} entries twice, {book.put_off} times put off"


class Ordering:
    """Strikes one member, the broker or the database, and has it come back."""

    def __init__(
        self,
        fleet: Fleet,
        broker: Broker,
        server: str,
        receivers: Receivers,
        chance: random.Random,
    ) -> None:
        self.struck: Counter[str] = Counter()
        #: How often the writing-down of a delivery may have been lost.
        self.lost_max = 0
        self._fleet = fleet
        self._broker = broker
        self._server = server
        self._receivers = receivers
        self._chance = chance
        self._epoch = 0

    def begin(self, name: str) -> None:
        """Start a member; a dispatcher under a file of recipients that tells its lives apart."""
        environment, program = {}, None
        if name in MONITORS:
            program = PROGRAM
            environment[STALL_FILE] = str(self._stall_file(name))
        if name.startswith("dispatcher"):
            self._epoch += 1
            environment["TOXWATCH_RECIPIENTS"] = str(self._receivers.write_file(self._fleet.home, self._epoch))
        self._fleet.begin(name, program, environment)

    def strike(self, kind: str) -> None:
        """One fault."""
        self.struck[kind] += 1
        if kind == "broker":
            self._broker.kill()
            time.sleep(self._chance.uniform(0, DOWN_SECONDS_MAX))
            self._broker.start()
        elif kind == "database":
            self.lost_max += 1
            crash_postgresql(self._server, lambda: time.sleep(self._chance.uniform(0, DOWN_SECONDS_MAX)))
        elif kind == "stall":
            self._stall(*self._chance.sample(MONITORS, 2))
        else:
            self._strike_member(kind, self._chance.choice(MEMBERS))

    def _strike_member(self, kind: str, name: str) -> None:
        self.lost_max += name.startswith("dispatcher")
        if kind == "kill":
            self._fleet.kill(name)
        elif kind == "stop":
            # Before that it is Python that starts, and ends as any program does.
            eventually(lambda: self._fleet.members[name].address("metrics") is not None, 60)
            assert self._fleet.stop(name) < 10, f"{name} took too long to stop"
        else:
            self._fleet.freeze(name)
            time.sleep(self._chance.choice(FROZEN_SECONDS))
            self._fleet.thaw(name)
            return
        time.sleep(self._chance.uniform(0, 1.0))
        self.begin(name)

    def _stall(self, name: str, another: str) -> None:
        """While one stands still with a batch in its hands, what is whose changes, and others do what it is about to do."""
        told = self._stall_file(name)
        told.touch()
        end = time.monotonic() + STALL_SECONDS
        while told.exists():
            if time.monotonic() > end:
                told.unlink(missing_ok=True)
                return  # It has no partition.
            time.sleep(0.05)
        self._strike_member("stop", another)
        time.sleep(STALL_SECONDS / 2)

    def _stall_file(self, name: str) -> Path:
        return self._fleet.home / f"{name}.stall"


def ordeal(
    home: Path,
    seed: int,
    count: int,
    progress: Callable[[str], None] = lambda _: None,
    without: str | None = None,
) -> Ordeal:
    """Run under load, struck so many times; let it settle, and check everything. Then make a gap in the log.

    ``without`` names a safeguard that the monitors are to do without: something must be found.
    """
    chance = random.Random(seed)
    with (
        Receivers(seed, refusing=0.05, slow=0.1) as receivers,
        postgresql_server(is_durable=True) as server,
        new_postgresql_database(server) as database,
        kafka_broker() as broker,
        Fleet(home, broker.address, database, "ordeal") as fleet,
    ):
        fleet.make()
        if without is not None:
            fleet.environment[VARIABLE] = without
        ordering = Ordering(fleet, broker, server, receivers, chance)
        _begin(fleet, ordering, MEMBERS)
        with (
            PositionsWatch(fleet) as watch,
            Load(fleet, fleet.make_keys(SITES, SPONSOR), seed) as load,
            Load(fleet, fleet.make_keys([HOSTILE]), seed, hostile_life, book=load.book),
        ):
            for kind in _drawn(chance, count):
                time.sleep(chance.uniform(0.2, BETWEEN_SECONDS_MAX))
                ordering.strike(kind)
                progress(
                    f"{dict(ordering.struck)}, {len(load.book.answers)} events answered, {len(watch.faults)} found"
                )
        found = [*watch.faults, *_never_settled(fleet)]
        evidence = evidence_of(fleet, load.book, receivers.receipts, 1 + ordering.lost_max)
        found += [*faults(evidence), *gap_is_noticed(fleet, MONITORS, ordering.begin)]
        return Ordeal(evidence, found, ordering.struck)


def _never_settled(fleet: Fleet) -> Iterator[str]:
    try:
        fleet.await_ready(*MEMBERS)
        await_settled(fleet)
    except AssertionError as error:
        yield f"it never settles: {error}"


def _drawn(chance: random.Random, count: int) -> list[str]:
    """So many kinds of faults, each at least once, in any order."""
    drawn = [*KINDS, *chance.choices(list(KINDS), list(KINDS.values()), k=count - len(KINDS))]
    chance.shuffle(drawn)
    return drawn


def _begin(fleet: Fleet, ordering: Ordering, names: Sequence[str]) -> None:
    for name in names:
        ordering.begin(name)
    fleet.await_ready(*names)
