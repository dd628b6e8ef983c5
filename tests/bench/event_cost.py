"""What one more event costs a subject with a long history: the live path, fold + touched cases + transitions."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Iterator

from events.codec import Codec, Logged
from projections.folds.findings import SubjectFindings
from projections.protocols.isi_jx import PROTOCOL
from services.simulator.portfolio import Load, simulate_portfolio
from services.simulator.trial import DEFAULT_START
from tests import builder

HISTORY = 10_000
WINDOW = 100
ROUNDS = 5

#: How many times as much as about the 100th event one may cost about the 10,000th.
LIMIT = 1.5


def run() -> bool:
    """Print the mean cost about the 100th and about the 10,000th event, and their ratio; False beyond the limit."""
    decode = Codec(PROTOCOL.contract).decode
    plain = sorted((decode(line) for line in simulate_portfolio(Load(3, 1, HISTORY, DEFAULT_START))), key=_time)
    revised = [decode(line) for line in _each_result_revised_at_once()]
    return _compare("as it comes", plain) & _compare("each result revised at once", revised)


def _compare(what: str, logged: list[Logged]) -> bool:
    early, late = zip(*(_round(logged) for _ in range(ROUNDS)), strict=True)
    first, last = statistics.median(early), statistics.median(late)
    print(f"\none subject, event by event, {what}:")
    print(f"  {first:.1f} µs about the 100th, {last:.1f} µs about the {len(logged):,}th, means of {WINDOW} events")
    print(f"  ratio {last / first:.2f} (limit {LIMIT}), median of {ROUNDS} rounds")
    return last / first <= LIMIT


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
    return statistics.mean(taken[100 - WINDOW // 2 : 100 + WINDOW // 2]), statistics.mean(taken[-WINDOW:])


def _each_result_revised_at_once() -> Iterator[bytes]:
    """The worst that a laboratory interface does: every result twice, the second time with its status corrected."""
    for number in range(HISTORY // 2):
        day, hour = divmod(number, 24)
        collected = f"2017-{1 + day // 28:02d}-{1 + day % 28:02d}T{hour:02d}:00:00Z"
        for revision in (1, 2):
            data = {"lab_id": f"L-{number}", "revision": revision, "test": "ALT", "value": 20, "collected": collected}
            attributes = {
                "id": f"{number}-{revision}",
                "time": collected.replace(":00Z", f":{revision:02d}Z"),
                "source": "urn:site:FR01:lis",
            }
            yield json.dumps(builder.event("lab.resulted", data, subject="FR01-001", **attributes)).encode()


def _time(logged: Logged) -> int:
    return logged.time
