"""``toxwatch keys``: API keys, made, listed and revoked."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy import Row

from events.dates import Instant, format_instant, parse_instant
from services.assessment.tables import console_for_output
from services.assessment.writing import printable, write_json
from services.clock import time_source
from services.gateway.caller import Role
from services.gateway.keys import ApiKeyError, add_key, list_keys, revoke_key
from services.live_options import Config, Data, ListFormat, OutputFormat
from services.private_files import keep_private
from services.reading.opening import store_of

keys_app = typer.Typer(help="API keys: who may send events, and who may read.", no_args_is_help=True)


@keys_app.command("add")
def add(
    role: Annotated[Role, typer.Option("--role", help="What the key may do.")],
    data: Data = None,
    config: Config = None,
    site: Annotated[str | None, typer.Option("--site", help="The site of a site's key, such as FR01.")] = None,
    name: Annotated[str, typer.Option("--name", help="For whom it is, to be found again in the list.")] = "",
    expires: Annotated[
        str | None, typer.Option("--expires", help="Not valid from then on, RFC 3339 with offset.", metavar="INSTANT")
    ] = None,
) -> None:
    """Make a key. It is printed once, as the only line on standard output, and kept nowhere."""
    ends_at = _instant(expires)
    with store_of(data, config) as (_, database), database.writing() as connection:
        try:
            made = add_key(connection, role.value, site, name, time_source.now(), ends_at)
        except ApiKeyError as error:
            raise typer.BadParameter(str(error)) from None
    keep_private(sys.stdout)
    typer.echo(made.text)
    typer.echo(f"key {made.id}: keep it now, it is not shown again", err=True)


@keys_app.command("list")
def list_all(
    data: Data = None,
    config: Config = None,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Every key there ever was, and whether it is valid now."""
    with store_of(data, config) as (_, database), database.reading() as connection:
        rows = [_shown(row, time_source.now()) for row in list_keys(connection)]
    if format is ListFormat.JSON:
        write_json(rows)
    elif format is ListFormat.NDJSON:
        for row in rows:
            typer.echo(_line(row))
    else:
        table = Table("id", "role", "site", "name", "state", "created", "expires", "revoked")
        for row in rows:
            table.add_row(*(printable(str(value)) if value is not None else "" for value in row.values()))
        console_for_output().print(table)


@keys_app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Revoke a key, at once and for good."""
    with store_of(data, config) as (_, database), database.writing() as connection:
        revoked = revoke_key(connection, key_id, time_source.now())
    typer.echo(f"key {key_id} is revoked" if revoked else f"key {key_id} was revoked before", err=True)


def _instant(text: str | None) -> Instant | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}", param_hint="--expires") from None


def _shown(row: Row[Any], now: Instant) -> dict[str, str | None]:
    return {
        "id": row.id,
        "role": row.role,
        "site": row.site,
        "name": row.name,
        "state": _state(row, now),
        "created": format_instant(row.created_at),
        "expires": None if row.expires_at is None else format_instant(row.expires_at),
        "revoked": None if row.revoked_at is None else format_instant(row.revoked_at),
    }


def _state(row: Row[Any], now: Instant) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "valid"


def _line(row: dict[str, str | None]) -> str:
    return json.dumps(row, ensure_ascii=False)
