"""What one more event costs a subject with a long history: the live path, fold + touched cases + transitions."""

from __future__ import annotations

import gc
import statistics
import time

from events.codec import Codec, Logged
from projections.folds.findings import SubjectFindings
from projections.rules.isi_jx import PROTOCOL
from services.simulator.portfolio import Load, simulate_portfolio
from services.simulator.trial import DEFAULT_START

HISTORY = 10_000
WINDOW = 100
ROUNDS = 9


def run() -> None:
    """Print the cost about the 100th and about the 10,000th event of one subject, and their ratio."""
    decode = Codec(PROTOCOL.contract).decode
    lines = simulate_portfolio(Load(3, 1, HISTORY, DEFAULT_START))
    logged = sorted((decode(line) for line in lines), key=lambda item: item.time)
    early, late = zip(*(_round(logged) for _ in range(ROUNDS)), strict=True)
    first, last = statistics.median(early), statistics.median(late)
    print(f"\none subject, event by event: {first:.1f} µs about the 100th, {last:.1f} µs about the {HISTORY:,}th")
    print(f"  ratio {last / first:.2f} (limit 1.5), medians of {WINDOW} events over {ROUNDS} rounds")


def _round(logged: list[Logged]) -> tuple[float, float]:
    findings = SubjectFindings(PROTOCOL, getattr(logged[0].event, "subject", ""))
    taken: list[float] = []
    gc.collect()
    gc.disable()
    try:
        for event, recorded, received in logged:
            start = time.perf_counter()
            findings.take(event, recorded, received)
            taken.append((time.perf_counter() - start) * 1e6)
    finally:
        gc.enable()
    return statistics.median(taken[100 - WINDOW // 2 : 100 + WINDOW // 2]), statistics.median(taken[-WINDOW:])
