"""The command line: ``toxwatch`` and its sub-commands, put together here and nowhere else.

Exit codes: 0 done, 1 failed, 2 some input was refused, 64 wrong usage.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from events.errors import ToxwatchError
from services.cli.commands import COMMANDS
from services.cli.extras import MissingExtra, missing_extra

FAILED: Final = 1
WRONG_USAGE: Final = 64
INTERRUPTED: Final = 130


class LazyCommands(TyperGroup):
    """The commands of ``COMMANDS``. One that cannot be imported here says what it needs instead of working."""

    _is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them; while all are listed, no more of it than its summary."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        if self._is_listing:
            return TyperCommand(cmd_name, callback=None, short_help=COMMANDS[cmd_name].summary)
        try:
            return _command(cmd_name)
        except ModuleNotFoundError as error:
            missing = missing_extra(error, cmd_name)
            if missing is None:
                raise
            return _unavailable(cmd_name, missing)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help of ``toxwatch`` itself, for which no command is imported."""
        self._is_listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listing = False


def _command(name: str) -> Any:
    module, _, attribute = COMMANDS[name].place.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name)(found)
        found = app
    found._add_completion = False
    command = get_command(found)
    command.name = name
    return command


def _unavailable(name: str, missing: MissingExtra) -> TyperCommand:
    def refuse() -> NoReturn:
        raise missing

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    return TyperCommand(name, callback=refuse, help=f"Not installed here: {missing.remedy}", context_settings=anything)


def create_app() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        name="toxwatch",
        cls=LazyCommands,
        help="Watches a dose-finding trial for dose-limiting toxicities: clinical events in, verdicts with reasons out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich takes longer to import than all the rest of this help
    )

    @app.callback()
    def toxwatch() -> None:
        """What all commands share: nothing."""

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
        # The reader of our output has gone; nothing more can be said, and Python must not try on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except (ToxwatchError, OSError) as error:
        typer.echo(f"toxwatch: {error}", err=True)
        sys.exit(FAILED)
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is None:
            raise
        typer.echo(f"toxwatch: {missing}", err=True)
        sys.exit(FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _say_everything() -> None:
    """A terminal that has no sign for "at least" is given an escape: half an answer and a traceback would be worse."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
