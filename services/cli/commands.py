"""Every command of ``toxwatch``: where it is, and what it does in a few words.

A command is imported when it is called; the words are here so that the list of all can be shown without importing any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Command(NamedTuple):
    """``place`` is the module and what it is called there; ``summary`` the first sentence of its own help."""

    place: str
    summary: str


def _in_cli(place: str, summary: str) -> Command:
    return Command(f"services.cli.{place}", summary)


COMMANDS: Final[Mapping[str, Command]] = {
    "assess": _in_cli("assess:assess", "Judge every case at an instant: verdicts, cohort board, open questions."),
    "explain": _in_cli(
        "explain:explain",
        "Show why a case has its verdict: clause by clause, each predicate's answer, reason and events.",
    ),
    "grade": _in_cli("grade:grade", "Grade a plain table of laboratory results."),
    "import": _in_cli(
        "import_files:import_app",
        "Turn the files of a study into events (NDJSON), with a report of whatever could not be mapped.",
    ),
    "schema": _in_cli(
        "schema:schema",
        "Print the JSON Schema of an event type or of the webhook body; without a name, list them.",
    ),
    "simulate": _in_cli("simulate:simulate", "Simulate a plausible trial, with the verdicts it should lead to."),
    "run": _in_cli(
        "run:run",
        "Take events over HTTP, watch every subject and deliver alerts, until it is stopped (SIGTERM, Ctrl-C).",
    ),
    "demo": _in_cli(
        "demo:demo",
        "Start everything, play a simulated trial into it over HTTP, and deliver its alerts: here, by mail, to a webhook.",
    ),
    "publish": _in_cli("publish:publish", "Send events through a gateway, and list those that it refuses."),
    "alerts": _in_cli("alerts:alerts", "List alerts in the order in which they changed; Ctrl-C ends --follow."),
    "assessment": _in_cli(
        "assessment:assessment",
        "Show what is true at an instant, from the stored projections; the log is not read.",
    ),
    "export": _in_cli(
        "export:export",
        "Write the clinical log to standard output, one event a line: as its sender wrote it, with `receivedtime`.",
    ),
    "queries": _in_cli(
        "queries:queries",
        "List the open questions: about which record or case, and which site can answer it.",
    ),
    "keys": _in_cli("keys:keys_app", "API keys: who may send events, and who may read."),
    "sources": _in_cli("sources:sources_app", "Sources: for which sites each may speak."),
    "audit": _in_cli("audit:audit_app", "Show who did what: people by command, keys by the hour."),
    "test-message": _in_cli(
        "test_message:try_channels", "Send a test message over each channel of a recipient, and say what came of each."
    ),
    "dead-letters": _in_cli("replay:dead_letters_app", "Refused input, kept until somebody has dealt with it."),
    "config": _in_cli("config:config_app", "The settings that are in force."),
    "gateway": _in_cli(
        "processes:gateway",
        "Take events over HTTP into the log on Kafka and answer readers, until it is stopped (SIGTERM, Ctrl-C).",
    ),
    "monitor": _in_cli(
        "processes:monitor",
        "Judge the events of the log on Kafka, as one of any number of workers, until it is stopped (SIGTERM, Ctrl-C).",
    ),
    "clock": _in_cli(
        "processes:clock_app", "Publish each deadline as it comes due, until it is stopped (SIGTERM, Ctrl-C)."
    ),
    "dispatcher": _in_cli(
        "processes:dispatcher", "Deliver alerts to their recipients, until it is stopped (SIGTERM, Ctrl-C)."
    ),
    "topics": _in_cli("topics:topics_app", "The topics of a deployment on Kafka."),
    "rebuild": _in_cli(
        "rebuild:rebuild",
        "Rebuild the projections from the first event, while traffic goes on, and cut over to them.",
    ),
    "verify": _in_cli(
        "verify:verify", "Rebuild aside and compare, row by row. Exits with 1 and names every row that differs."
    ),
    "migrate": _in_cli(
        "migrate:migrate", "Make the tables, or bring them to this version. Stop Toxwatch and make a backup first."
    ),
    "migrate-log": _in_cli(
        "migrate_log:migrate_log",
        "Move an embedded deployment to Kafka and PostgreSQL: every event, alert, delivery, key and dead letter.",
    ),
    "backup": _in_cli("backup:backup", "Copy an embedded deployment into one consistent file, while it runs."),
    "restore": _in_cli("backup:restore", "Put a backup into a data directory. Toxwatch must not be running on it."),
    "compact": _in_cli("compact:compact", "Return the space of erased rows to the disk, while Toxwatch runs."),
}
