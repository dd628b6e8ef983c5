"""A database to test on: an SQLite file, or one of a PostgreSQL server that this session starts for itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import sqlalchemy as sa

_DIRECTORIES = [os.environ.get("PGBIN", ""), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)]
_numbers = count(1)


def postgresql_directory() -> Path | None:
    """Where the server's programs are; None where there is no PostgreSQL."""
    return next((Path(named) for named in _DIRECTORIES if named and (Path(named) / "initdb").is_file()), None)


@contextmanager
def postgresql_server(*, is_durable: bool = False, **settings: str) -> Iterator[str]:
    """A server of its own, on a socket in a directory of its own; gives the URL of its first database.

    ``is_durable``: what was committed is there after the server was killed, if not after a power failure. ``settings`` are more
    of the server's, and overrule ours.
    """
    programs = postgresql_directory()
    assert programs is not None, "no PostgreSQL is installed"
    # A socket's path is limited to 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
    options = f"-c listen_addresses='' -k {home} -c fsync=off -c synchronous_commit={'on' if is_durable else 'off'}"
    options += " -c full_page_writes=off" + "".join(f" -c {name}={value}" for name, value in settings.items())
    _run(
        programs / "initdb",
        "-D",
        home / "data",
        "-A",
        "trust",
        "-U",
        "postgres",
        "--no-sync",
        "--no-locale",
        "-E",
        "UTF8",
    )
    _run(programs / "pg_ctl", "-D", home / "data", "-w", "-t", "30", "-l", home / "log", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={home}"
    finally:
        _run(programs / "pg_ctl", "-D", home / "data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


def crash_postgresql(server: str, down: Callable[[], None]) -> None:
    """Kill a server's processes at once, and start it again when ``down`` has returned."""
    programs = postgresql_directory()
    assert programs is not None, "no PostgreSQL is installed"
    home = Path(server.rpartition("host=")[2])
    control = (programs / "pg_ctl", "-D", home / "data", "-w", "-t", "60")
    _run(*control, "-m", "immediate", "stop")
    down()
    options = (home / "data" / "postmaster.opts").read_text().partition(" ")[2].replace('"', "").strip()
    _run(*control, "-l", home / "log", "-o", options, "start")


@contextmanager
def new_postgresql_database(server: str) -> Iterator[str]:
    """A new, empty database on the server."""
    name = f"t_{os.getpid()}_{next(_numbers)}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        yield server.replace("/postgres?", f"/{name}?")
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.dispose()


def _run(*argv: str | Path) -> None:
    """As the user that the server accepts: it refuses to run as root."""
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [*as_postgres, *map(str, argv)]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
