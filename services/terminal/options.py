"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from events.dates import YEAR_FIRST, YEAR_LAST, Instant, parse_instant, year_of
from projections.rules.logic.trial_protocol import TrialProtocol
from services.platform import time_source
from services.trials.protocols import ProtocolError, find_protocol


class Axis(StrEnum):
    """What counts as known at an instant: what sites had recorded by then, or what Toxwatch had received."""

    RECORDED = "recorded"
    RECEIVED = "received"


class Format(StrEnum):
    """How a result is written to standard output."""

    TABLE = "table"
    JSON = "json"


AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="The instant to judge at, RFC 3339 with offset. Default: now.", metavar="INSTANT"),
]
AsOfAxis = Annotated[
    Axis, typer.Option("--as-of-axis", help="Events are known from when they were recorded, or received.")
]
ProtocolName = Annotated[
    str,
    typer.Option(
        "--protocol",
        envvar="TOXWATCH_PROTOCOL",
        help="What if: judge everybody by this protocol, one that comes with Toxwatch, a configuration file (.toml, .json), or "
        "a Python module. Each by their own version: TOXWATCH_PROTOCOL.",
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to write the result.")]
EventPaths = Annotated[
    list[str], typer.Argument(metavar="EVENTS...", help="Files of events, one a line (NDJSON); - is standard input.")
]


def instant_of(as_of: str | None) -> Instant:
    """The instant that ``--as-of`` names, or the present one."""
    if as_of is None:
        return time_source.now()
    try:
        instant = parse_instant(as_of)
        if not YEAR_FIRST <= year_of(as_of) <= YEAR_LAST:
            raise ValueError(f"not in the years {YEAR_FIRST} to {YEAR_LAST}")
        return instant
    except ValueError as error:
        raise typer.BadParameter(f"{as_of!r}: {error}", param_hint="--as-of") from None


def judging_protocol(context: typer.Context, name: str) -> TrialProtocol:
    """The protocol that judges: where ``--protocol`` names it, everybody is judged by its newest version, and that is said."""
    protocol = protocol_of(name)
    source = context.get_parameter_source("protocol")
    # Typer carries its own copy of click, whose enumeration has no public name.
    if source is None or source.name != "COMMANDLINE":
        return protocol
    typer.echo(
        f"toxwatch: what if: --protocol judges every subject by {protocol.name} version {protocol.version}, whatever version "
        "they are treated under",
        err=True,
    )
    return protocol.for_everybody


def protocol_of(name: str) -> TrialProtocol:
    """The protocol of that name."""
    try:
        return find_protocol(name)
    except ProtocolError as error:
        raise typer.BadParameter(str(error), param_hint="--protocol") from None
