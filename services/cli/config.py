"""``toxwatch config``: the settings that are in force, and where each comes from."""

from __future__ import annotations

import json
from typing import Any, Final

import typer
from rich.table import Table
from sqlalchemy.engine import URL, make_url

from services.platform.printable import printable
from services.platform.settings import Effective, Settings, SettingsError, effective_settings
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat
from services.terminal.tables import console_for_output
from services.terminal.writing import write_json

#: Stands for a secret. Letters, which a URL may hold as they are.
MASK: Final = "xxxxx"
#: What a database URL may carry beside the password, and may be shown.
SHOWN_IN_QUERY: Final = frozenset({"application_name", "connect_timeout", "host", "port", "sslmode", "timeout"})

config_app = typer.Typer(help="The settings that are in force.", no_args_is_help=True)


@config_app.callback()
def config_group() -> None:
    """The settings that are in force."""


@config_app.command("show")
def show_config(
    data: Data = None,
    config: Config = None,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Every setting with its value and where it comes from. Secrets are masked."""
    try:
        rows = effective_rows(effective_settings(config, data=data))
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    if format is ListFormat.JSON:
        write_json(rows)
    elif format is ListFormat.NDJSON:
        for row in rows:
            typer.echo(json.dumps(row))
    else:
        console_for_output().print(_table(rows))


def effective_rows(effective: Effective) -> list[dict[str, Any]]:
    """One row a setting, fit to be shown to anybody."""
    settings, origins = effective
    values: dict[str, Any] = settings.model_dump(mode="json")
    if settings.data is not None and settings.database is None:
        values["database"] = settings.database_url
    if values["database"] is not None:
        values["database"] = masked_url(values["database"])
    values["public_url"] = settings.base_url
    return [{"name": name, "value": values[name], "from": origins[name]} for name in Settings.model_fields]


def masked_url(url: str) -> str:
    """A database URL without the user, the password, and whatever its parameters might give away."""
    parsed = make_url(url)
    shown = URL.create(
        parsed.drivername,
        username=MASK if parsed.username or parsed.password else None,
        host=parsed.host,
        port=parsed.port,
        database=parsed.database,
        query={name: value if name in SHOWN_IN_QUERY else MASK for name, value in parsed.query.items()},
    )
    return shown.render_as_string()


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Settings", title_justify="left")
    for name in ("setting", "value", "from"):
        table.add_column(name, overflow="fold")
    for row in rows:
        value = "-" if row["value"] is None else str(row["value"])
        table.add_row(row["name"], printable(value), printable(row["from"]))
    return table
