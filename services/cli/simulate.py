"""``toxwatch simulate``: writes the simulated trial, or a big load, as NDJSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from services.simulator.portfolio import EVENTS_PER_SUBJECT, Load, simulate_portfolio
from services.simulator.trial import DEFAULT_START, simulate_trial
from services.simulator.truth import truth_of, written

STANDARD_OUTPUT: Final = Path("-")


def simulate(
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    out: Annotated[
        Path, typer.Option(help="Where the events go, one per line; - is standard output.")
    ] = STANDARD_OUTPUT,
    truth: Annotated[
        Path | None,
        typer.Option(help="Where the intended verdicts go. Default: beside --out, as NAME.truth.json; none for -."),
    ] = None,
    subjects: Annotated[
        int | None, typer.Option(min=1, help="A load of so many subjects for benchmarks, instead of the trial.")
    ] = None,
    events: Annotated[int | None, typer.Option(min=1, help="A load of exactly so many lines.")] = None,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day the trial opens. Default: 2017-02-06.")
    ] = None,
    received: Annotated[
        bool,
        typer.Option(
            "--received/--no-received",
            help="Whether late events carry the receivedtime they would have been stamped with. A gateway refuses it.",
        ),
    ] = True,
) -> None:
    """Simulate a plausible trial, with the verdicts it should lead to."""
    opens = start.date() if start is not None else DEFAULT_START
    if subjects is not None or events is not None:
        if truth is not None:
            raise typer.BadParameter("a load has no planned truth; leave --truth out", param_hint="--truth")
        load = _load(seed, subjects, events, opens)
        _write(out, simulate_portfolio(load, received=received))
        return
    trial = simulate_trial(seed, opens)
    _write(out, trial.lines(received=received))
    beside = truth or (out.with_suffix(".truth.json") if out != STANDARD_OUTPUT else None)
    if beside is not None:
        _write(beside, [written(truth_of(trial))])


def _load(seed: int, subjects: int | None, events: int | None, opens: date) -> Load:
    """Either number follows from the other: about 400 events for each subject."""
    if subjects is None:
        assert events is not None
        subjects = max(1, events // EVENTS_PER_SUBJECT)
    try:
        return Load(seed, subjects, subjects * EVENTS_PER_SUBJECT if events is None else events, opens)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--subjects, --events") from None


def _write(path: Path, lines: Iterable[bytes]) -> None:
    if path == STANDARD_OUTPUT:
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()
        return
    with path.open("wb") as file:
        file.writelines(lines)
