"""Options that the commands of a live deployment share, and how the settings are found from them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.platform.settings import Settings, SettingsError, read_settings


class ListFormat(StrEnum):
    """How a list is written to standard output."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Directory of the deployment's data (TOXWATCH_DATA).", metavar="DIR", show_default=False
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="A file of settings, TOML (TOXWATCH_CONFIG).", metavar="FILE", show_default=False),
]
ProtocolInForce = Annotated[
    str | None,
    typer.Option(
        "--protocol", help="The protocol that the deployment runs under (TOXWATCH_PROTOCOL).", show_default=False
    ),
]
OutputFormat = Annotated[ListFormat, typer.Option("--format", help="How to write the list.")]


def settings_of(data: Path | None, config: Path | None, **more: Any) -> Settings:
    """The effective settings; ``more`` are further options by their setting's name, None where not given."""
    try:
        return read_settings(config, data=data, **more)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
