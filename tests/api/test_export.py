"""``toxwatch export``: the clinical log, byte for byte."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import typer

from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from services.cli.export import PAGE, entries, export
from services.log.embedded import EmbeddedLog
from services.log.port import Entry, NewEntry, Position
from tests.cli.command_line import run
from tests.events.samples import ae
from tests.files.command_line import ROOT, Outcome, toxwatch

COMMAND = typer.Typer()
COMMAND.command()(export)
COMMAND.command("nothing")(lambda: None)  # with one command alone, its name would be no part of the command line


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    """The database of a deployment in ``tmp_path``."""
    database = Database(f"sqlite:///{tmp_path / 'toxwatch.db'}")
    migrate(database)
    yield database
    database.close()


def _append(store: Database, bodies: Sequence[bytes]) -> None:
    log = EmbeddedLog(store, "clinical")
    with store.writing() as connection:
        end = log.end(0)
        entries = [NewEntry("k", "FR01-001", "s", f"e-{end + n}", body) for n, body in enumerate(bodies)]
        log.append(entries, connection)


def _exported(tmp_path: Path, *options: str) -> Outcome:
    return run(COMMAND, "export", "--data", str(tmp_path), *options)


def test_what_was_appended_comes_out_byte_for_byte(store: Database, tmp_path: Path) -> None:
    """In order, one a line, more than are read at a time: whatever their white space and escapes."""
    bodies = [ae(term=f"Colitis {n}").replace(b'": ', b'" : ', n % 3) + b" " * (n % 2) for n in range(2 * PAGE + 50)]
    bodies.append('{"é":"\\u00e9\\ud83d\\ude00 \\/","n":1.0e2}'.encode())
    _append(store, bodies)
    outcome = _exported(tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.encode() == b"\n".join(bodies) + b"\n"


def test_an_event_over_several_lines_comes_out_on_one(store: Database, tmp_path: Path) -> None:
    """A line end in JSON is never part of a value, so nothing that the event says is changed."""
    _append(store, [b'{\r\n "a": "x\\ny",\n "b": 1\r}'])
    assert _exported(tmp_path).out == '{   "a": "x\\ny",  "b": 1 }\n'


@pytest.mark.parametrize(
    ("options", "offsets"),
    [
        ([], range(10)),
        (["--from", "0/3"], range(3, 10)),
        (["--from", "3"], range(3, 10)),
        (["--to", "0/3"], range(4)),
        (["--from", "3", "--to", "3"], range(3, 4)),
        (["--from", "4", "--to", "3"], range(0)),
        (["--from", "0/9", "--to", "99999"], range(9, 10)),
        (["--from", "9223372036854775807"], range(0)),
        (["--from", "1/0"], range(0)),
        (["--to", "1/0"], range(10)),
    ],
)
def test_from_and_to_name_entries_that_are_written_too(
    store: Database, tmp_path: Path, options: list[str], offsets: range
) -> None:
    """What the gateway gave as an event's position finds that event."""
    _append(store, [b'{"n":%d}' % n for n in range(10)])
    outcome = _exported(tmp_path, *options)
    assert outcome.code == 0
    assert outcome.out.splitlines() == [f'{{"n":{n}}}' for n in offsets]


@pytest.mark.parametrize("position", ["x", "-1", "0/-1", "1/2/3", "0/", "9" * 20, "\u0661"])
def test_what_is_no_position_is_wrong_usage(store: Database, tmp_path: Path, position: str) -> None:
    """Also in other people's digits."""
    for option in ("--from", "--to"):
        outcome = _exported(tmp_path, f"{option}={position}")
        assert (outcome.code, outcome.out) == (64, "")
        assert "not a position" in outcome.words


class _InPartitions:
    """A log in memory with more than one partition; the first entry of a partition need not be there any more."""

    def __init__(self, *partitions: Sequence[int]) -> None:
        self._offsets = partitions
        self.partitions = len(partitions)

    def read(self, partition: int, offset: int, limit: int) -> list[Entry]:
        found = [n for n in self._offsets[partition] if n >= offset][:limit]
        return [Entry(Position(partition, n), "k", b"") for n in found]

    def end(self, partition: int) -> int:
        return max(self._offsets[partition], default=-1) + 1


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ((0, 0), None, ["0/0", "0/1", "1/0", "2/5", "2/9"]),
        ((0, 1), None, ["0/1", "1/0", "2/5", "2/9"]),
        ((1, 0), (2, 5), ["1/0", "2/5"]),
        ((0, 1), (1, 7), ["0/1", "1/0"]),
        ((2, 6), None, ["2/9"]),
    ],
)
def test_partitions_come_one_after_another(
    first: tuple[int, int], last: tuple[int, int] | None, expected: list[str]
) -> None:
    """A position orders by partition, then by offset; gaps that a log may have end nothing."""
    log = _InPartitions([0, 1], [0], [5, 9])
    found = entries(log, Position(*first), None if last is None else Position(*last))  # type: ignore[arg-type]
    assert [str(entry.position) for entry in found] == expected


def test_what_is_appended_meanwhile_is_left_out(store: Database) -> None:
    """Or an export beside a busy gateway would never end."""
    _append(store, [b"{}"] * 3)
    found = entries(EmbeddedLog(store, "clinical"), Position(0, 0), None)
    read = [next(found)]
    _append(store, [b"{}"] * 3)
    assert len([*read, *found]) == 3


@pytest.mark.slow
def test_a_long_log_is_exported_in_little_memory(store: Database, tmp_path: Path) -> None:
    """80 MB of log in a process that may not grow by half as much."""
    body = b'{"x":"' + b"x" * 100_000 + b'"}'
    for _ in range(8):
        _append(store, [body] * 100)
    program = """
import resource, sys
import services.cli.main
from tests.api.test_export import COMMAND
services.cli.main.create_app = lambda: COMMAND
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    services.cli.main.main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, file=sys.stderr)
"""
    command = [sys.executable, "-c", program, "export", "--data", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        written = sum(len(line) for line in running.stdout)
        grown_kib = int(running.stderr.read())
    assert written == 800 * (len(body) + 1)
    assert grown_kib < 60_000


def test_what_is_exported_can_be_assessed(store: Database, tmp_path: Path) -> None:
    """`toxwatch export | toxwatch assess -`."""
    _append(store, [ae(grade=4)])
    out = _exported(tmp_path).out.encode()
    assessed = toxwatch("assess", "-", "--as-of", "2017-04-01T00:00:00Z", "--format", "json", stdin=out)
    assert (assessed.code, assessed.json["events"]) == (0, 1)
    assert io.BytesIO(out).readline() == ae(grade=4) + b"\n"
