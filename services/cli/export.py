"""``toxwatch export``: the clinical log as NDJSON, as stored."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from services.http.parameters import PLACE_MAX
from services.log.opening import open_logs
from services.log.port import Entry, EventLog, Position
from services.platform.private_files import keep_private
from services.terminal.live_options import Config, Data
from services.terminal.opening import store_of

#: How many entries are held at a time; each may have 256 KiB.
PAGE: Final = 200
#: A line end within an event can only be space between its parts: in a JSON string it is always escaped.
ON_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")

_POSITION: Final = re.compile(r"(?:([0-9]{1,9})/)?([0-9]{1,19})")

_From = Annotated[
    str | None,
    typer.Option("--from", metavar="POSITION", help="The first entry: PARTITION/OFFSET, or OFFSET in partition 0."),
]
_To = Annotated[
    str | None, typer.Option("--to", metavar="POSITION", help="The last entry, which is written too. Default: the end.")
]


def export(data: Data = None, config: Config = None, from_: _From = None, to: _To = None) -> None:
    """Write the clinical log to standard output, one event a line: as its sender wrote it, with `receivedtime`.

    What is appended while it runs is left out. `toxwatch assess -` reads it.
    """
    first = _position(from_, "--from") or Position(0, 0)
    last = _position(to, "--to")
    with store_of(data, config, "export") as (settings, database), open_logs(settings, database) as logs:
        keep_private(sys.stdout)
        out = sys.stdout.buffer
        for entry in entries(logs.clinical, first, last):
            out.write(entry.body.translate(ON_ONE_LINE) + b"\n")
        out.flush()


def entries(log: EventLog, first: Position, last: Position | None) -> Iterator[Entry]:
    """The entries from ``first`` to ``last``, both included, partition by partition; up to the present end at most."""
    ends = [log.end(partition) for partition in range(log.partitions)]
    for partition, end in enumerate(ends):
        if partition < first.partition or (last is not None and partition > last.partition):
            continue
        offset = first.offset if partition == first.partition else 0
        stop = min(end, last.offset + 1) if last is not None and partition == last.partition else end
        while offset < stop and (page := log.read(partition, offset, PAGE)):
            yield from (entry for entry in page if entry.position.offset < stop)
            offset = page[-1].position.offset + 1


def _position(text: str | None, option: str) -> Position | None:
    if text is None:
        return None
    found = _POSITION.fullmatch(text)
    if found is None or int(found[2]) > PLACE_MAX:
        raise typer.BadParameter("not a position such as 0/1234 or 1234", param_hint=option)
    return Position(int(found[1] or 0), int(found[2]))
