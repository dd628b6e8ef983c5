"""The command line: ``toxwatch`` and its sub-commands, put together here and nowhere else.

Exit codes: 0 done, 1 failed, 2 some input was refused, 64 wrong usage.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Final, NoReturn

import typer

from events.errors import ToxwatchError
from services.assessment.assess_command import assess
from services.assessment.explain_command import explain
from services.backup_command import backup, restore
from services.config_command import config_app
from services.demo.command import demo
from services.gateway.keys_command import keys_app
from services.grading.command import grade
from services.importers.command import import_app
from services.log.topics_command import topics_app
from services.migration.command import migrate_log
from services.operations import migrate, rebuild, verify
from services.publish_command import publish
from services.reading.alerts_command import alerts
from services.reading.assessment_command import assessment
from services.reading.export_command import export
from services.reading.queries_command import queries
from services.replay_command import dead_letters_app
from services.run_command import run
from services.schemas import schema
from services.service_commands import clock_app, dispatcher, gateway, monitor
from services.simulator.command import simulate

FAILED: Final = 1
WRONG_USAGE: Final = 64
INTERRUPTED: Final = 130


def create_app() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        name="toxwatch",
        help="Watches a dose-finding trial for dose-limiting toxicities: clinical events in, verdicts with reasons out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    pure: tuple[Callable[..., object], ...] = (assess, explain, grade, schema, simulate)
    live: tuple[Callable[..., object], ...] = (run, demo, publish, alerts, assessment, export, queries)
    distributed: tuple[Callable[..., object], ...] = (gateway, monitor, dispatcher)
    operations: tuple[Callable[..., object], ...] = (rebuild, verify, migrate, migrate_log, backup, restore)
    for command in (*pure, *live, *distributed, *operations):
        app.command()(command)
    app.add_typer(import_app, name="import")
    for name, group in (
        ("keys", keys_app),
        ("dead-letters", dead_letters_app),
        ("config", config_app),
        ("topics", topics_app),
        ("clock", clock_app),
    ):
        app.add_typer(group, name=name)
    return app


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    _say_everything()
    try:
        code = create_app()(standalone_mode=False)
    except typer.TyperException as error:
        # What typer raises itself is wrong usage: an unknown option, a value that cannot be read.
        show = getattr(error, "show", None)
        if show is not None:
            show()
        sys.exit(WRONG_USAGE)
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said, and Python must not try on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except (ToxwatchError, OSError) as error:
        typer.echo(f"toxwatch: {error}", err=True)
        sys.exit(FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _say_everything() -> None:
    """A terminal that has no sign for "at least" is given an escape: half an answer and a traceback would be worse."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
