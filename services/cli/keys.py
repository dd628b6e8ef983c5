"""``toxwatch keys``: API keys, made, listed and revoked."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from sqlalchemy import Row

from events.dates import Instant, format_instant, parse_instant
from projections.store.write.audit import first_and_last_use, record
from services.gateway.keys import ApiKeyError, add_key, caller_of_row, list_keys, revoke_key
from services.gateway.sources import is_of_people
from services.http.caller import Role
from services.platform import time_source
from services.platform.printable import printable
from services.platform.private_files import keep_private
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat
from services.terminal.opening import store_of
from services.terminal.operator import operator_name
from services.terminal.tables import console_for_output
from services.terminal.writing import write_json

#: Of the table; the lists in JSON have `site` too, the first of `sites`.
COLUMNS: Final = (
    "id",
    "role",
    "sites",
    "sources",
    "name",
    "state",
    "created",
    "expires",
    "revoked",
    "first_used",
    "last_used",
)

keys_app = typer.Typer(help="API keys: who may send events, and who may read.", no_args_is_help=True)


@keys_app.command("add")
def add(
    role: Annotated[Role, typer.Option("--role", help="What the key may do.")],
    data: Data = None,
    config: Config = None,
    site: Annotated[
        list[str] | None,
        typer.Option("--site", help="The site of a site's key, such as FR01; again for a shared laboratory."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="PATTERN",
            help="A source that it writes from, or the beginning of several with * at its end; again for each. Default: "
            "'urn:site:<site>:*', for the sponsor what the protocol lists.",
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="For whom it is, to be found again in the list.")] = "",
    expires: Annotated[
        str | None, typer.Option("--expires", help="Not valid from then on, RFC 3339 with offset.", metavar="INSTANT")
    ] = None,
) -> None:
    """Make a key. It is printed once, as the only line on standard output, and kept nowhere."""
    ends_at = _instant(expires)
    first, others = (site[0], site[1:]) if site else (None, [])
    with store_of(data, config) as (settings, database), database.writing() as connection:
        if of_people := [one for one in source or () if is_of_people(one, settings.deployment)]:
            raise typer.BadParameter(f"{of_people[0]!r}: signed-in people write from it, and no key does")
        now = time_source.now()
        try:
            made = add_key(connection, role.value, first, name, now, ends_at, more_sites=others, sources=source or ())
        except ApiKeyError as error:
            raise typer.BadParameter(str(error)) from None
        said = f"key {made.id}: {role.value} {' '.join(site or ())}; {name}"
        record(connection, now, operator_name(), "keys add", said)
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
    with store_of(data, config, "keys list") as (_, database), database.reading() as connection:
        used = first_and_last_use(connection)
        rows = [_shown(row, used.get(row.id), time_source.now()) for row in list_keys(connection)]
    if format is ListFormat.JSON:
        write_json(rows)
    elif format is ListFormat.NDJSON:
        for row in rows:
            typer.echo(_line(row))
    else:
        table = Table(*(name.replace("_", " ") for name in COLUMNS))
        for row in rows:
            table.add_row(*(_cell(row[name]) for name in COLUMNS))
        console_for_output().print(table)


@keys_app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Revoke a key, at once and for good."""
    with store_of(data, config) as (_, database), database.writing() as connection:
        now = time_source.now()
        revoked = revoke_key(connection, key_id, now)
        record(connection, now, operator_name(), "keys revoke", f"key {key_id}" + ("" if revoked else ", once more"))
    typer.echo(f"key {key_id} is revoked" if revoked else f"key {key_id} was revoked before", err=True)


def _instant(text: str | None) -> Instant | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}", param_hint="--expires") from None


def _cell(value: str | list[str] | None) -> str:
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else " ".join(value))


def _shown(row: Row[Any], used: tuple[Instant, Instant] | None, now: Instant) -> dict[str, str | list[str] | None]:
    caller = caller_of_row(row)
    first_used, last_used = (format_instant(at) for at in used) if used is not None else (None, None)
    return {
        "id": row.id,
        "role": row.role,
        "site": row.site,
        "sites": list(caller.sites),
        "sources": list(caller.patterns),
        "name": row.name,
        "state": _state(row, now),
        "created": format_instant(row.created_at),
        "expires": None if row.expires_at is None else format_instant(row.expires_at),
        "revoked": None if row.revoked_at is None else format_instant(row.revoked_at),
        "first_used": first_used,
        "last_used": last_used,
    }


def _state(row: Row[Any], now: Instant) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "valid"


def _line(row: dict[str, str | list[str] | None]) -> str:
    return json.dumps(row, ensure_ascii=False)
