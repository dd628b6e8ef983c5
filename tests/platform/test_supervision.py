"""Loops and the threads that do their work: each in its turn, none twice at once, none kept waiting by another's trouble."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from projections.store.engine.database import StoreUnavailable
from services.platform import supervision
from services.platform.supervision import Loop, LoopEnded, Workers

SECONDS_MAX = 10.0
#: So long that whatever comes sooner did not come by itself.
NEVER = 3600.0


def _loop(work: Callable[[], bool], idle: float = NEVER, name: str = "loop") -> Loop:
    return Loop(name, work, lambda: idle, lambda _name: None)


@contextmanager
def _at_work(*loops: Loop, threads: int | None = None) -> Iterator[Workers]:
    workers = Workers(loops, threads)
    workers.start()
    try:
        yield workers
    finally:
        workers.stop()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_each_loop_comes_round_at_once_and_then_when_it_is_woken() -> None:
    """A hundred of them by two threads; one that is woken does not wake the others."""
    counts = [0] * 100

    def counting(number: int) -> Callable[[], bool]:
        def work() -> bool:
            counts[number] += 1
            return False

        return work

    loops = [_loop(counting(number)) for number in range(100)]
    with _at_work(*loops, threads=2):
        _until(lambda: counts == [1] * 100)
        loops[7].wake()
        _until(lambda: counts[7] == 2)
        time.sleep(0.05)
        assert sum(counts) == 101


def test_it_comes_round_by_itself_after_a_while() -> None:
    """As soon as it said, without anybody who wakes it."""
    count = 0

    def work() -> bool:
        nonlocal count
        count += 1
        return False

    with _at_work(_loop(work, idle=0.01)):
        _until(lambda: count >= 3)


def test_one_that_is_woken_while_it_works_comes_round_again() -> None:
    """What it was woken for may have come after it had looked."""
    begun, go, count = threading.Event(), threading.Event(), 0

    def work() -> bool:
        nonlocal count
        count += 1
        begun.set()
        assert go.wait(SECONDS_MAX)
        return False

    loop = _loop(work)
    with _at_work(loop, threads=2):
        assert begun.wait(SECONDS_MAX)
        loop.wake()
        loop.wake()
        go.set()
        _until(lambda: count == 2)
        time.sleep(0.05)
        assert count == 2


def test_no_loop_is_done_twice_at_once() -> None:
    """However many threads there are and however often it is woken."""
    inside, most, count = 0, 0, 0

    def work() -> bool:
        nonlocal inside, most, count
        inside += 1
        most = max(most, inside)
        time.sleep(0.001)
        count += 1
        inside -= 1
        return count < 200

    loop = _loop(work)
    with _at_work(loop, threads=4):
        while count < 200:
            loop.wake()
    assert most == 1


def test_a_flood_for_one_does_not_keep_the_others_waiting() -> None:
    """On one thread the busy one goes to the end of the queue each time."""
    order: list[str] = []

    def busy() -> bool:
        order.append("busy")
        return len(order) < 1000

    def quiet() -> bool:
        order.append("quiet")
        return False

    quiet_loop = _loop(quiet, name="quiet")
    with _at_work(_loop(busy), quiet_loop, threads=1):
        _until(lambda: len(order) > 10)
        before = len(order)
        quiet_loop.wake()
        _until(lambda: order.count("quiet") == 2)
    assert order[:2] == ["busy", "quiet"]
    assert order.index("quiet", 2) <= before + 50


def test_one_that_hangs_keeps_one_thread() -> None:
    """The other thread does the work of the others."""
    go, count = threading.Event(), 0

    def hangs() -> bool:
        go.wait(SECONDS_MAX)
        return False

    def work() -> bool:
        nonlocal count
        count += 1
        return False

    with _at_work(_loop(hangs), _loop(work, idle=0.01), threads=2):
        _until(lambda: count >= 3)
        go.set()


def test_what_fails_is_tried_again_and_shown_until_it_works() -> None:
    """The store is away, then there is a bug, then all is well: the trouble says each, and ends."""
    errors: list[Exception] = [StoreUnavailable("away"), ValueError("a bug")]
    troubles: list[str | None] = []
    unavailable: list[str] = []

    def work() -> bool:
        troubles.append(loop.trouble())
        if errors:
            raise errors.pop(0)
        return False

    loop = Loop("judge", work, lambda: NEVER, unavailable.append)
    with _at_work(loop):
        _until(lambda: len(troubles) == 3 and loop.trouble() is None)
    assert troubles == [
        None,
        "judge: waiting for the database (away)",
        "judge: failed with ValueError, and is tried again",
    ]
    assert unavailable == ["judge"]


def test_the_pause_grows_while_it_fails() -> None:
    """Twice as long each time, up to a limit; short again once it has worked."""
    fails = True

    def work() -> bool:
        if fails:
            raise StoreUnavailable("away")
        return True

    loop = _loop(work)
    pauses = [loop.come_round() for _ in range(9)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    fails = False
    assert loop.come_round() == 0.0
    fails = True
    assert loop.come_round() == 0.05


def test_a_halt_ends_it_for_good() -> None:
    """It is not tried again, also when woken; its trouble and stall say why."""
    count = 0

    def work() -> bool:
        nonlocal count
        count += 1
        raise LoopEnded("five subjects in a row")

    loop = _loop(work)
    with _at_work(loop):
        _until(lambda: loop.trouble() is not None)
        loop.wake()
        time.sleep(0.05)
    assert count == 1
    assert loop.trouble() == loop.stalled() == "loop: halted: five subjects in a row"


def test_one_that_does_not_come_round_is_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may take its silence for health."""
    now = 100.0
    monkeypatch.setattr(supervision, "elapsed_seconds", lambda: now)
    loop = _loop(lambda: False)
    loop.come_round()
    now += supervision.STUCK_SECONDS
    assert loop.trouble() is None
    now += 1
    assert loop.trouble() == "loop: has not come round for 61 s"


def test_stopping_lets_the_work_in_hand_finish() -> None:
    """And begins nothing new."""
    begun, done = threading.Event(), []

    def work() -> bool:
        begun.set()
        time.sleep(0.1)
        done.append(1)
        return True

    with _at_work(_loop(work)):
        assert begun.wait(SECONDS_MAX)
    before = len(done)
    time.sleep(0.15)
    assert before == len(done) >= 1
