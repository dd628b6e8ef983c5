"""Numbers that nothing was made for, sent by site A: refused with a sentence, or held; site B is served meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker
from tests.crash.load import Book
from tests.crash.stories import Author, Line
from tests.databases import new_postgresql_database
from tests.neighbours.neighbour import System, distributed, embedded, neighbour

pytestmark = pytest.mark.slow

#: Beyond 64 bits less one, beyond what JSON numbers hold exactly, beyond 32 bits.
LEVELS = (9223372036854775807, 2**53, 3_000_000_000, 2**53 - 1)
TAKEN = 2**53 - 1
LIMITS = (1.7e308, 5e-324, 1e300, -1e300, 1e-18)


def _with(line: Line, **said: Any) -> Line:
    event = json.loads(line.body)
    event["data"] |= said
    return line._replace(body=json.dumps(event).encode())


def _answers(system: System, key: str, lines: list[Line]) -> list[str]:
    book = Book()
    with system.sender(key, book) as sender:
        for line in lines:
            sender.send([line])
    assert not book.surprises, book.surprises
    return [answer.status for answer in book.answers]


def _levels_hurt_nobody(system: System) -> None:
    key = system.make_keys(["FR01"])["FR01"]
    with neighbour(system) as site_b:
        for number, level in enumerate(LEVELS):
            author = Author(f"FR01-{100 + number}")
            lines = author.treated()
            lines = [_with(lines[0], dose_level=level), lines[1], author.toxicity()]
            taken = "accepted" if level <= TAKEN else "refused"
            assert _answers(system, key, lines) == [taken, "accepted", "accepted"]
            site_b.is_served()
        for number, uln in enumerate(LIMITS):
            author = Author(f"FR01-{200 + number}")
            lines = [_with(author.result(one, 900, 1), uln=uln) for one in range(2)]
            assert set(_answers(system, key, [*author.treated(), *lines, author.toxicity()])) <= {"accepted", "refused"}
        site_b.is_served()
        site_b.awaits(*(f"FR01-{100 + number}" for number in range(len(LEVELS))))
        site_b.awaits(*(f"FR01-{200 + number}" for number in range(len(LIMITS))))
    assert system.unready() == []
    assert system.arrived(case="unwatched:FR01-100") == []


def test_levels_and_limits_beyond_measure_hurt_nobody(tmp_path: Path, database_url: str) -> None:
    """Two valid events of one site once stopped judging for the whole trial, for good; now site A itself is alerted, too."""
    with embedded(tmp_path, database_url) as system:
        _levels_hurt_nobody(system)


def test_levels_and_limits_beyond_measure_hurt_nobody_on_kafka(tmp_path: Path, broker: Broker, postgresql: str) -> None:
    """The same with two monitors."""
    with new_postgresql_database(postgresql) as database, distributed(tmp_path, broker, database) as system:
        _levels_hurt_nobody(system)
