"""``toxwatch alerts``, ``assessment`` and ``dead-letters``: what is stored, as tables and as JSON."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer

from projections.store.engine.database import Database
from projections.store.engine.generation import begin_first_generation
from projections.store.engine.schema import migrate
from projections.store.engine.tables import alert_events
from projections.store.read.dead_letters import letter_of
from services.cli.alerts import alerts
from services.cli.assessment import assessment
from services.cli.dead_letters import dead_letters_app
from tests.api.telling import START, letter, parked, told
from tests.cli.command_line import run
from tests.files.command_line import ROOT, Outcome

COMMANDS = typer.Typer()
COMMANDS.command()(alerts)
COMMANDS.command()(assessment)
COMMANDS.add_typer(dead_letters_app, name="dead-letters")

#: The same as a program of its own.
PROGRAM = """
import services.cli.main
from tests.api.test_commands import COMMANDS
services.cli.main.create_app = lambda: COMMANDS
services.cli.main.main()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    """The database of a deployment in ``tmp_path``."""
    database = Database(f"sqlite:///{tmp_path / 'toxwatch.db'}")
    migrate(database)
    with database.writing() as connection:
        begin_first_generation(connection, START)
    yield database
    database.close()


def _asked(tmp_path: Path, *arguments: str) -> Outcome:
    return run(COMMANDS, *arguments, "--data", str(tmp_path))


def _listed(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    """The entries as one JSON document."""
    entries: list[dict[str, Any]] = json.loads(_asked(tmp_path, *arguments, "--format", "json").out)
    return entries


def _lines(tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
    """The entries, one a line."""
    return [json.loads(line) for line in _asked(tmp_path, *arguments, "--format", "ndjson").out.splitlines()]


def test_alerts_as_a_table(store: Database, tmp_path: Path) -> None:
    """One row each, with why, and what is open."""
    with store.writing() as connection:
        told(connection, questions=["related to ipilimumab?"])
        told(connection, None, "cohort:A/2", reasons=["2 of 3 treated subjects"])
    outcome = _asked(tmp_path, "alerts")
    assert (outcome.code, outcome.err) == (0, "")
    for said in ("FR01-001", "ae:AE-1", "met", "DLT-1 met", "urgent", "open", "? related to ipilimumab?", "cohort:A/2"):
        assert said in outcome.words


def test_alerts_as_json_and_as_lines(store: Database, tmp_path: Path) -> None:
    """The same entries as over HTTP, in the order in which they changed."""
    with store.writing() as connection:
        told(connection, "FR01-001")
        told(connection, "FR01-002", verdict="possible", clauses={"DLT-2": "possible"})
        told(connection, "FR01-001", kind="withdrawn")
    as_lines = _lines(tmp_path, "alerts")
    assert as_lines == _listed(tmp_path, "alerts")
    assert [(a["seq"], a["subject"], a["state"], a["revision"]) for a in as_lines] == [
        (2, "FR01-002", "open", 1),
        (3, "FR01-001", "withdrawn", 2),
    ]


@pytest.mark.parametrize(
    ("options", "subjects"),
    [
        (["--subject", "FR01-001"], ["FR01-001"]),
        (["--verdict", "possible"], ["FR01-002"]),
        (["--state", "withdrawn"], ["FR01-003"]),
        (["--state", "open", "--verdict", "met"], ["FR01-001"]),
    ],
)
def test_alerts_that_are_asked_for(store: Database, tmp_path: Path, options: list[str], subjects: list[str]) -> None:
    """By subject, verdict and state."""
    with store.writing() as connection:
        told(connection, "FR01-001")
        told(connection, "FR01-002", verdict="possible", clauses={"DLT-2": "possible"})
        told(connection, "FR01-003")
        told(connection, "FR01-003", kind="withdrawn")
    assert [alert["subject"] for alert in _listed(tmp_path, "alerts", *options)] == subjects


@contextmanager
def _following(tmp_path: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, "alerts", "--follow", "--data", str(tmp_path), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.kill()


def test_following_shows_what_stands_and_then_every_event(store: Database, tmp_path: Path) -> None:
    """Two revisions of one alert are two lines, though both were told at once; Ctrl-C is the orderly end."""
    with store.writing() as connection:
        told(connection)
    with _following(tmp_path, "--format", "ndjson") as program:
        assert program.stdout is not None
        assert json.loads(program.stdout.readline())["revision"] == 1
        with store.writing() as connection:
            told(connection)
            told(connection, kind="withdrawn", previous_verdict="met")
        lines = [json.loads(program.stdout.readline()) for _ in range(2)]
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=20)
    assert [(line["revision"], line["state"]) for line in lines] == [(2, "open"), (3, "withdrawn")]
    assert (program.returncode, out, err) == (0, "", "")


def test_who_follows_a_verdict_is_told_that_it_was_taken_back(store: Database, tmp_path: Path) -> None:
    """And nothing of other alerts; a line for people has all of it on one line."""
    with store.writing() as connection:
        told(connection)
    with _following(tmp_path, "--verdict", "met") as program:
        assert program.stdout is not None
        while "FR01-001" not in program.stdout.readline():
            pass
        with store.writing() as connection:
            told(connection, "FR01-002", verdict="possible")
            told(connection, kind="withdrawn", previous_verdict="met", reasons=["retracted\n\x1b[31m"])
        line = program.stdout.readline()
        while " withdrawn " not in line:
            line = program.stdout.readline()
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=20)
    assert line == "2017-03-20T09:00:02Z withdrawn FR01-001 ae:AE-1 -: retracted\\n\\x1b[31m\n"


def test_no_clause_is_shown_as_more_than_it_is(store: Database, tmp_path: Path) -> None:
    """A clause that is only watched is never shown as met, and nothing is of an alert that was overruled, in list or stream."""
    two: dict[str, Any] = {"verdict": "met", "clauses": {"DLT-2": "met", "DLT-3": "watch"}}
    with store.writing() as connection:
        told(connection, **two)
        told(connection, "FR01-002", kind="raised")
        told(connection, "FR01-002", kind="withdrawn", reasons=["overruled"], **two)
    table = _asked(tmp_path, "alerts").words
    assert "met DLT-2 met, DLT-3 watch urgent" in table
    assert "ae:AE-1 - DLT-3 watch urgent withdrawn" in table
    with _following(tmp_path) as program:
        assert program.stdout is not None
        while "overruled" not in program.stdout.readline():
            pass
        with store.writing() as connection:
            told(connection, **two)
            told(connection, kind="withdrawn", reasons=["overruled"], **two)
            told(connection, "FR01-003", verdict="watch", clauses={"DLT-2": "watch"}, kind="withdrawn")
        lines = []
        while len(lines) < 3:
            line = program.stdout.readline()
            lines += [line] if line.startswith("2017-") else []
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=20)
    assert [line.partition(": ")[0].partition("Z ")[2] for line in lines] == [
        "URGENT revised FR01-001 ae:AE-1 met (DLT-2 met, DLT-3 watch)",
        "withdrawn FR01-001 ae:AE-1 - (DLT-3 watch)",
        "withdrawn FR01-003 ae:AE-1 watch (DLT-2 watch)",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["alerts", "--follow", "--format", "json"], 64, "use ndjson"),
        (["alerts", "--verdict", "watch"], 64, "--verdict"),
        (["alerts", "--subject", "Marie Curie"], 64, "not a subject id"),
        (["assessment", "--as-of", "2017"], 64, "--as-of"),
        (["dead-letters", "show", "7"], 1, "there is no dead letter 7"),
        (["dead-letters", "show", "0"], 64, "ID"),
        (["dead-letters", "delete", "7", "--reason", "x"], 1, "there is no dead letter 7"),
        (["dead-letters", "delete", "1", "--reason", " "], 64, "say why"),
        (["dead-letters", "delete", "1"], 64, "--reason"),
    ],
)
def test_wrong_usage_is_said(store: Database, tmp_path: Path, arguments: list[str], code: int, sentence: str) -> None:
    """With the exit codes of every command, and nothing on standard output."""
    outcome = _asked(tmp_path, *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert sentence in outcome.words


@pytest.mark.parametrize("command", [("alerts",), ("assessment",), ("dead-letters", "list")])
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Nor is one used that is none of ours, or empty; the sentence says what to do."""
    missing = _asked(tmp_path, *command)
    assert (missing.code, missing.out) == (1, "")
    assert "there is no database at" in missing.words
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "toxwatch.db").write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    assert "not a database" in _asked(tmp_path, *command).words
    (tmp_path / "toxwatch.db").write_bytes(b"")
    empty = _asked(tmp_path, *command)
    assert empty.code == 1
    assert "the database is empty" in empty.words
    nowhere = run(COMMANDS, *command)
    assert nowhere.code == 64
    assert "--data" in nowhere.words


def test_assessment_is_what_assess_would_say(store: Database, tmp_path: Path) -> None:
    """With its header, at the instant asked for; of a store in which nothing has happened, nothing."""
    outcome = _asked(tmp_path, "assessment", "--as-of", "2017-03-20T10:00:00+01:00", "--format", "json")
    assert outcome.json == {
        "as_of": "2017-03-20T09:00:00Z",
        "protocol": "isi-jx",
        "protocol_version": "1",
        "events": 0,
        **{key: [] for key in ("cases", "lab_grades", "cohorts", "queries", "refused")},
    }
    assert (
        "as of 2017-03-20T09:00:00Z, 0 events" in _asked(tmp_path, "assessment", "--as-of", "2017-03-20T09:00:00Z").out
    )


def test_dead_letters_are_listed_and_shown_without_steering_the_terminal(store: Database, tmp_path: Path) -> None:
    """Whatever the bytes; exactly as they came only where that is asked for."""
    raw = b'{"id": "\x1b[31m\xff\n"}\r\n'
    with store.writing() as connection:
        parked(connection, letter(raw, error="id: '\x1b[31m' is no id", event_id="\x1b[31m"))
        parked(connection, letter(b"2", reason="not-json"))
    table = _asked(tmp_path, "dead-letters", "list")
    assert "bad-field" in table.words
    assert "\x1b" not in table.out
    rows = _lines(tmp_path, "dead-letters", "list")
    assert rows == _listed(tmp_path, "dead-letters", "list")
    assert [row["reason"] for row in rows] == ["bad-field", "not-json"]
    only = _listed(tmp_path, "dead-letters", "list", "--reason", "not-json", "--state", "parked")
    assert [row["id"] for row in only] == [2]
    shown = _asked(tmp_path, "dead-letters", "show", "1").out
    assert 'raw: {"id": "\\x1b[31m\\xff\\n"}\\r\\n' in shown
    assert "\x1b" not in shown
    exact = subprocess.run(
        [sys.executable, "-c", PROGRAM, "dead-letters", "show", "1", "--raw", "--data", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert exact.stdout == raw


def test_a_dead_letter_is_erased_for_a_reason(store: Database, tmp_path: Path) -> None:
    """The bytes are gone, who erased them and why is kept, and its alert is withdrawn."""
    with store.writing() as connection:
        parked(connection, letter(b"Marie Curie", is_severe=True))
    done = _asked(tmp_path, "dead-letters", "delete", "1", "--reason", "a name in it")
    assert (done.code, done.out) == (0, "")
    assert "dead letter 1 was erased" in done.err
    with store.reading() as connection:
        found = letter_of(connection, 1)
        kinds = list(connection.scalars(alert_events.select().with_only_columns(alert_events.c.kind)))
    assert found is not None
    assert (found.raw, found.state, found.closed_why) == (None, "deleted", "a name in it")
    assert found.closed_by
    assert kinds == ["raised", "withdrawn"]
    again = _asked(tmp_path, "dead-letters", "delete", "1", "--reason", "again")
    assert (again.code, "deleted before" in again.words) == (1, True)
    assert "raw: (erased)" in _asked(tmp_path, "dead-letters", "show", "1").out
    raw = _asked(tmp_path, "dead-letters", "show", "1", "--raw")
    assert (raw.code, raw.out) == (1, "")
