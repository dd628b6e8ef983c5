"""Decode + fold + assess of a simulated portfolio, beside pydantic alone decoding the same bytes into the same fields."""

from __future__ import annotations

import cProfile
import gc
import json
import pstats
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from events.catalog import EVENT_ADAPTER
from events.codec import Codec, Logged
from events.dates import parse_instant
from projections.folds.trial_projection import TrialProjection
from projections.protocols.isi_jx import PROTOCOL
from services.files.log_reading import read_log
from services.simulator.portfolio import Load, simulate_portfolio
from services.simulator.trial import DEFAULT_START
from services.terminal.options import Axis

#: How many times as long as pydantic alone the whole may take.
LIMIT = 6.0

#: Later than everything in the simulated load.
AS_OF = parse_instant("2030-01-01T00:00:00Z")


def run(events: int, subjects: int, rounds: int, *, profile: bool) -> bool:
    """Print rates and ratios, stage by stage; False where the whole is slower than the limit."""
    lines = [line.rstrip(b"\n") for line in simulate_portfolio(Load(1, subjects, events, DEFAULT_START))]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "load.ndjson"
        path.write_bytes(b"\n".join(lines) + b"\n")
        stages: dict[str, Callable[[], float]] = {
            "pydantic alone (validate_json)": lambda: _timed(lambda: _validate(lines)),
            "codec (contract, dates, duplicate keys)": lambda: _timed(lambda: _decode(lines)),
            "fold (decoded events into charts)": lambda: _fold_only(lines),
            "assess (charts into verdicts)": lambda: _assess_only(lines),
            "all: file to JSON": lambda: _timed(lambda: _whole(path)),
        }
        seconds = {name: [stage() for _ in range(rounds)] for name, stage in stages.items()}
        bare = statistics.median(seconds["pydantic alone (validate_json)"])
        print(f"\n{len(lines)} events of {subjects} subjects, {sum(map(len, lines)) // len(lines)} bytes each")
        for name, taken in seconds.items():
            median = statistics.median(taken)
            print(
                f"  {name:42} {median / len(lines) * 1e6:6.2f} µs/event  {len(lines) / median:9.0f}/s  {median / bare:5.2f} x"
            )
        whole = statistics.median(seconds["all: file to JSON"])
        print(f"  rate of the whole: 1/{whole / bare:.2f} of pydantic alone (limit 1/6, aim 1/3)")
        print(f"  peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
        if profile:
            _profile(path)
    return whole / bare <= LIMIT


def _validate(lines: list[bytes]) -> None:
    validate = EVENT_ADAPTER.validate_json
    for line in lines:
        validate(line)


def _decode(lines: list[bytes]) -> list[Logged]:
    decode = Codec(PROTOCOL.contract).decode
    kept: list[Logged] = []
    for line in lines:
        kept[:] = [decode(line)]
    return kept


def _folded(lines: list[bytes]) -> tuple[TrialProjection, float]:
    decode = Codec(PROTOCOL.contract).decode
    decoded = [decode(line) for line in lines]
    trial = TrialProjection(PROTOCOL)

    def fold() -> None:
        for event, recorded, _ in decoded:
            trial.fold(event, recorded)

    return trial, _timed(fold)


def _fold_only(lines: list[bytes]) -> float:
    return _folded(lines)[1]


def _assess_only(lines: list[bytes]) -> float:
    trial, _ = _folded(lines)
    return _timed(lambda: trial.as_json(AS_OF))


def _whole(path: Path) -> None:
    json.dumps(read_log([str(path)], PROTOCOL, AS_OF, Axis.RECORDED).as_json())


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        gc.enable()


def _profile(path: Path) -> None:
    profiler = cProfile.Profile()
    profiler.runcall(_whole, path)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
