"""``toxwatch publish``: files of events through a gateway."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from services.files.event_files import STANDARD_INPUT, EventFiles, EventLine
from services.files.publish import PATH, PATIENCE_SECONDS, LineResult, SourceLine, gateway_client, publish_lines
from services.files.refusals import DONE, SOME_INPUT_REFUSED
from services.http.outgoing import proxy_of
from services.platform.printable import printable
from services.terminal.options import EventPaths
from services.terminal.progress import bytes_read

KEY: Final = "TOXWATCH_KEY"
KEY_FILE: Final = "TOXWATCH_KEY_FILE"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def publish(
    events: EventPaths,
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="Where the gateway is.", envvar="TOXWATCH_TO")
    ] = "http://127.0.0.1:8080",
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help=f"File with the key. Default: the key in {KEY}, or in the file that {KEY_FILE} names.",
        ),
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", metavar="URL", help='Go through this proxy; "environment": what HTTPS_PROXY names.'),
    ] = None,
    patience: Annotated[
        float, typer.Option("--patience", min=0, help="Seconds without an answer after which to give up.")
    ] = PATIENCE_SECONDS,
) -> None:
    """Send events through a gateway, and list those that it refuses.

    Stopped, it can be started again: what was taken before is answered as a duplicate. Exits with 2 if any line was refused.
    """
    url = _gateway_of(to)
    key = key_of(key_file)
    for path in events:
        if path != STANDARD_INPUT:
            Path(path).stat()  # Rather than when all before it is sent.
    counts: Counter[str] = Counter()
    try:
        with ExitStack() as stack:
            files = stack.enter_context(EventFiles(events))
            client = stack.enter_context(gateway_client(url, key, _proxy_of(proxy)))
            advance = stack.enter_context(bytes_read("publishing", files.bytes_total))
            lines = _source_lines(files.lines(advance))
            for results in publish_lines(client, lines, patience_seconds=patience, on_wait=_tell_of_waiting):
                counts.update(result.status for result in results)
                _report_refused(results)
    finally:
        answered = f"{counts['accepted']} accepted, {counts['duplicate']} known already, {counts['refused']} refused"
        typer.echo(f"{counts.total()} events answered: {answered}", err=True)
    raise typer.Exit(SOME_INPUT_REFUSED if counts["refused"] else DONE)


def key_of(key_file: Path | None) -> str:
    """The key, from the file that is named, else from the environment; never from the command line, which others can see."""
    named = key_file or (Path(os.environ[KEY_FILE]) if os.environ.get(KEY_FILE) and not os.environ.get(KEY) else None)
    key = (named.read_bytes().decode("utf-8", "replace") if named is not None else os.environ.get(KEY, "")).strip()
    where = str(named) if named is not None else KEY
    if not key:
        raise typer.BadParameter(f"no key: name its file, or set {KEY_FILE} or {KEY}", param_hint="--key-file")
    if not (key.isascii() and key.isprintable() and " " not in key):
        sentence = f"{where}: this is no key; `toxwatch keys add` prints one, on one line"
        raise typer.BadParameter(sentence, param_hint="--key-file")
    return key


def _gateway_of(to: str) -> str:
    try:
        parts = urlsplit(to)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise typer.BadParameter("not an http or https URL, such as https://toxwatch.example.org", param_hint="--to")
    if parts.username is not None:
        raise typer.BadParameter("a user or a password does not belong into the URL", param_hint="--to")
    if parts.scheme == "http" and host not in LOOPBACK:
        typer.echo("toxwatch: the key and the events travel unencrypted; use https", err=True)
    return to.rstrip("/").removesuffix(PATH)


def _proxy_of(said: str | None) -> str | None:
    try:
        return None if said is None else proxy_of(said)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--proxy") from None


def _source_lines(lines: Iterator[EventLine]) -> Iterator[SourceLine]:
    for line in lines:
        # Of a line that is far too long the beginning is sent: enough for the gateway to refuse it, and to see if it is severe.
        yield SourceLine(f"{line.file}:{line.number}", line.raw)


def _tell_of_waiting(reason: str) -> None:
    typer.echo(f"toxwatch: waiting to send again: {printable(reason)}", err=True)


def _report_refused(results: list[LineResult]) -> None:
    for result in results:
        if result.status == "refused":
            named = f" (id {result.event_id})" if result.event_id is not None else ""
            typer.echo(printable(f"{result.where}: refused{named}: {result.error}"), err=True)
