"""``toxwatch backup`` and ``restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from sqlalchemy.engine import make_url

from services.maintenance.backup import BackupError, Manifest, back_up
from services.maintenance.backup import restore as put_back
from services.maintenance.backup_key import BackupKey, find_key, make_key
from services.platform.data_lock import alone_on
from services.platform.printable import printable
from services.platform.settings import DATABASE_FILE, Settings, SettingsError
from services.platform.time_source import now
from services.terminal.live_options import Config, Data, settings_of
from services.terminal.operator_audit import audited_file

PG_DUMP: Final = (
    "this deployment's database is PostgreSQL, whose own tools do this: `pg_dump --format=custom` makes one consistent file"
    " while Toxwatch runs, and `pg_restore` puts it back"
)


def backup(
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The file to make. Never overwritten.")],
    data: Data = None,
    config: Config = None,
) -> None:
    """Copy an embedded deployment into one consistent file, while it runs.

    Logs, projections, keys, parked input and the delivery ledger; the configuration and its secrets are not in it.
    """
    settings = settings_of(data, config)
    database = _embedded(settings)
    audited_file(database, "backup", str(to))
    key = make_key(settings)
    manifest = back_up(database, to, now(), key)
    typer.echo(f"{to}: {_described(manifest)}, checked, sealed with the key in {key.path}", err=True)


def restore(
    backup: Annotated[Path, typer.Option("--from", metavar="FILE", help="What `toxwatch backup` has made.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The directory of the deployment's data.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the database that is in the directory.")] = False,
    config: Config = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", metavar="FILE", help="The key that sealed it. Default: this deployment's.", show_default=False
        ),
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Do not ask for a seal; only with --reason.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why it is known to be unchanged.", show_default=False)
    ] = None,
) -> None:
    """Put a backup into a data directory. Toxwatch must not be running on it.

    What was taken after the backup was made is not in it: let the senders publish it again, which is safe.
    """
    if unverified is not bool((reason or "").strip()):
        raise typer.BadParameter("--unverified and --reason go together", param_hint="--unverified")
    key = None if unverified else _key_of(settings_of(data, config), key_file)
    with alone_on(data):
        manifest = put_back(backup, data, now(), key, force=force)
    vouched = f" (not verified: {reason})" if reason else ""
    audited_file(data / DATABASE_FILE, "restore", f"{backup}{vouched}")
    seal = f"not verified ({printable(reason)})" if reason else "its seal is whole"
    typer.echo(f"{data / DATABASE_FILE}: restored, {_described(manifest)}; {seal}", err=True)


def _key_of(settings: Settings, named: Path | None) -> BackupKey:
    key = find_key(settings, named)
    if key is None:
        raise BackupError(
            f"{named or 'the key of this deployment'}: there is no such key; name the one that sealed the backup (--key-file),"
            " or, where you know that the backup is unchanged, --unverified --reason WHY"
        )
    return key


def _embedded(settings: Settings) -> Path:
    """The file of an SQLite database; anything else is wrong usage."""
    try:
        url = make_url(settings.database_url)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
    if url.get_backend_name() != "sqlite" or url.database is None:
        raise typer.BadParameter(PG_DUMP)
    return Path(url.database)


def _described(manifest: Manifest) -> str:
    return (
        f"made {manifest.made_at}, tables {manifest.schema_version or 'without a version'},"
        f" {manifest.log_end} entries of the clinical log, {manifest.alert_log_end} of the alert log"
    )
