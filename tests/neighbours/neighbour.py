"""The neighbour: a site that is well, and must stay well whatever happens to another (a running system, HTTP to webhook).

While a test does something hostile as site A (``FR01``), site B (``FR02``) reports one related adverse event of grade 4 after
the other over HTTP, each of a subject of its own, and each must arrive at the medical monitor's webhook as ``met``::

    def test_a_flood_of_garbage_delays_nobody(tmp_path: Path, database_url: str) -> None:
        \"\"\"The neighbour's alerts leave in time while site A sends garbage.\"\"\"
        with embedded(tmp_path, database_url) as system:
            key = system.make_keys(["FR01"])["FR01"]
            with neighbour(system) as site_b:
                post_garbage(system.url, key)           # what happens to site A; the neighbour reports meanwhile
                site_b.is_served()                      # if wanted: one more alert now, and its delay in seconds
        print(site_b.delays)                            # all of them: measured from before the request to the webhook

``embedded`` runs ``toxwatch run`` on SQLite or PostgreSQL (the fixture ``database_url`` gives both), ``distributed`` the
services on Kafka and PostgreSQL with two monitors. ``neighbour`` fails where an alert took longer than ``DELAY_SECONDS_MAX``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from services.gateway.keys import add_key
from services.platform import time_source
from tests.brokers import Broker
from tests.crash.deployment import Deployment, eventually
from tests.crash.load import Book, Sender
from tests.crash.receivers import Receivers
from tests.crash.stories import Author
from tests.distributed.fleet import Fleet

SITE: Final = "FR02"
#: What is promised: on a machine that does nothing else.
GOAL_SECONDS: Final = 2.0
#: A machine on which tests run in parallel, or other work is done, takes longer; this is far from "never".
FACTOR: Final = float(os.environ.get("TOXWATCH_NEIGHBOUR_FACTOR", "30"))
DELAY_SECONDS_MAX: Final = GOAL_SECONDS * FACTOR
BETWEEN_SECONDS: Final = 0.4
MONITORS: Final = ("monitor-1", "monitor-2")
SUBJECTS_FIRST: Final = 5000

_prefixes = count(1)


class System:
    """A deployment that runs, and the receivers that its alerts reach."""

    def __init__(self, home: Path, running: Deployment | Fleet, receivers: Receivers) -> None:
        self.home: Final = home
        self.running: Final = running
        self.receivers: Final = receivers

    @property
    def url(self) -> str:
        """Where the gateway listens."""
        url = self.running.url
        assert url is not None, "it listens"
        return url

    @property
    def database_url(self) -> str:
        """The database, for whoever looks into it from outside."""
        return self.running.database_url

    def make_keys(self, sites: list[str], sponsor: str | None = None) -> dict[str, str]:
        """A key for each site, and one for the sponsor under that name."""
        return self.running.make_keys(sites, sponsor)

    def sender(self, key: str, book: Book | None = None) -> Sender:
        """A sender that repeats a request until it is answered."""
        return Sender(self.running, key, book or Book())

    def unready(self) -> list[str]:
        """Why ``/readyz`` says 503: the reasons of all processes; none where all are ready."""
        if isinstance(self.running, Deployment):
            return self.running.health().reasons
        found = [self.running.health(name) for name, member in self.running.members.items() if member.process]
        return [reason for health in found if health is not None for reason in health.reasons]

    def arrived(self, kind: str = "raised", **said: object) -> list[dict[str, Any]]:
        """What has arrived at the webhook of one kind and says this: ``subject``, or ``case`` of an alert of no subject."""
        return [
            receipt.told
            for receipt in self.receivers.of("hook")
            if receipt.was_taken
            and receipt.told["type"] == f"toxwatch.alert.{kind}.v1"
            and said.items() <= receipt.told["data"].items()
        ]


class Neighbour:
    """Site B. ``delays`` are the seconds that each of its alerts took, in order."""

    def __init__(self, system: System, key: str) -> None:
        self.delays: list[float] = []
        self._system = system
        self._key = key
        self._numbers = count(SUBJECTS_FIRST)
        self._lock = threading.Lock()

    def is_served(self) -> float:
        """Report a grade 4, related, of a subject that was treated, and wait for its alert; gives the seconds that it took."""
        with self._lock:
            subject = f"{SITE}-{next(self._numbers)}"
        author, book = Author(subject), Book()
        with self._system.sender(self._key, book) as sender:
            sender.send(author.treated(subject_level(subject)))
            began = time.monotonic()
            sender.send([author.toxicity()])
            assert {answer.status for answer in book.answers} <= {"accepted", "duplicate"}, book.answers
            assert not book.surprises, book.surprises
            eventually(
                lambda: self._system.arrived(subject=subject, verdict="met"),
                DELAY_SECONDS_MAX,
                lambda: f"no alert of the neighbour's {subject}",
            )
        took = time.monotonic() - began
        with self._lock:
            self.delays.append(took)
        return took

    def awaits(self, *subjects: str) -> None:
        """Wait until the grade 4 of these subjects, who are somebody else's, has arrived too."""
        for subject in subjects:
            eventually(
                lambda subject=subject: self._system.arrived(subject=subject, verdict="met"),
                DELAY_SECONDS_MAX,
                lambda subject=subject: f"no alert of {subject}",
            )

    @property
    def worst(self) -> float:
        """The longest delay."""
        return max(self.delays)


def subject_level(subject: str) -> int:
    """A dose level of its own: or the second alert would be about a level on hold, too."""
    return int(subject.rpartition("-")[2])


@contextmanager
def neighbour(system: System) -> Iterator[Neighbour]:
    """Have site B report while the context lasts, and once more at its end. Fails where any alert came too late, or never."""
    with system.running.database() as database, database.writing() as connection:
        key = add_key(connection, "site", SITE, "the neighbour", time_source.now()).text
    found, stopping, failures = Neighbour(system, key), threading.Event(), list[BaseException]()

    def report() -> None:
        try:
            while not stopping.wait(BETWEEN_SECONDS):
                found.is_served()
        except BaseException as failure:  # noqa: BLE001 - raised where the context ends
            failures.append(failure)

    found.is_served()
    thread = threading.Thread(target=report, name="neighbour")
    thread.start()
    try:
        yield found
    finally:
        stopping.set()
        thread.join()
    if failures:
        raise failures[0]
    found.is_served()
    assert found.worst <= DELAY_SECONDS_MAX, found.delays


@contextmanager
def embedded(home: Path, database_url: str, *options: str, **environment: str) -> Iterator[System]:
    """``toxwatch run`` on a database of either kind, which is new; it is ready. ``environment`` are further settings."""
    with Receivers() as receivers, Deployment(home, receivers) as deployment:
        deployment.options += options
        deployment.environment |= {"TOXWATCH_DATABASE": database_url, **environment}
        deployment.start()
        yield System(home, deployment, receivers)


@contextmanager
def distributed(home: Path, broker: Broker, database_url: str, **environment: str) -> Iterator[System]:
    """The services on Kafka and PostgreSQL, with two monitors; all are ready. ``database_url`` names a new database."""
    with ExitStack() as stack:
        receivers = stack.enter_context(Receivers())
        recipients = receivers.write_file(home, 1)
        prefix = f"n{os.getpid()}-{next(_prefixes)}"
        fleet = stack.enter_context(Fleet(home, broker.address, database_url, prefix, recipients))
        fleet.environment |= environment
        fleet.make()
        fleet.start("gateway", *MONITORS, "clock", "dispatcher")
        yield System(home, fleet, receivers)
