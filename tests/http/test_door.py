"""Who may stay: a full house turns nobody away who has a request, and what is slow is cut."""

from __future__ import annotations

import resource

import pytest
from structlog.testing import CapturingLogger

from services.http import descriptors
from services.http.connection_limits import ConnectionLimits, ConnectionSlot, Door
from services.http.descriptors import RESERVED, TooFewDescriptors, connections_within

LIMITS = ConnectionLimits(connections=6, per_address=4)


class Visitor:
    """A connection; ``since`` None while it is being answered."""

    def __init__(self, since: float | None = 0.0, overdue: bool = False) -> None:
        self.since = since
        self.overdue = overdue
        self.was_cut = False

    def is_overdue(self, now: float, limits: ConnectionLimits) -> bool:
        return self.overdue

    def waiting_since(self, now: float) -> float | None:
        return self.since

    def cut(self) -> None:
        self.was_cut = True


def entered(door: Door, address: str, visitor: Visitor) -> ConnectionSlot:
    place = door.admit(address)
    assert place is not None
    place.guest = visitor
    return place


def test_the_one_that_has_waited_longest_makes_room_for_the_next_of_its_address() -> None:
    """What is being answered stays; another address is not concerned."""
    door = Door(LIMITS)
    other = Visitor(since=0.0)
    entered(door, "b", other)
    visitors = [Visitor(since) for since in (None, 3.0, 2.0, 4.0)]
    for visitor in visitors:
        entered(door, "a", visitor)
    entered(door, "a", Visitor(5.0))
    assert [visitor.was_cut for visitor in (other, *visitors)] == [False, False, False, True, False]
    assert len(door) == 5


def test_where_the_house_is_full_the_address_with_the_most_makes_room() -> None:
    """A flood from one address costs no other its connection, though that has waited longer."""
    door = Door(LIMITS)
    patient = [Visitor(0.0), Visitor(0.0)]
    for number, visitor in enumerate(patient):
        entered(door, f"p{number}", visitor)
    flood = [Visitor(10.0 + number) for number in range(4)]
    for visitor in flood:
        entered(door, "flood", visitor)
    entered(door, "new", Visitor(20.0))
    assert [visitor.was_cut for visitor in (*patient, *flood)] == [False, False, True, False, False, False]


def test_nobody_is_cut_while_he_is_answered() -> None:
    """Then the next is turned away, and taken again as soon as one has left."""
    door = Door(LIMITS)
    places = [entered(door, "a", Visitor(None)) for _ in range(4)]
    assert door.admit("a") is None
    door.leave(places[0])
    door.leave(places[0])
    assert door.admit("a") is not None
    assert len(door) == 4


def test_what_is_not_open_yet_is_not_cut_and_counts() -> None:
    """A place is taken with the connection, before anything of it is read."""
    door = Door(LIMITS)
    assert [door.admit("a") is not None for _ in range(5)] == [True] * 4 + [False]


def test_whose_time_is_up_is_cut() -> None:
    """And nobody else."""
    door = Door(LIMITS)
    slow, quick = Visitor(overdue=True), Visitor()
    entered(door, "a", slow)
    entered(door, "a", quick)
    door.sweep()
    assert (slow.was_cut, quick.was_cut, len(door)) == (True, False, 1)


def limit(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> list[tuple[int, int]]:
    """What the system says, and what it is asked for."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(descriptors.resource, "setrlimit", lambda _, wanted: asked.append(wanted))
    return asked


def test_the_limit_of_open_files_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as is allowed: then there is room for all connections beside what is kept."""
    asked = limit(monkeypatch, 256, 524_288)
    assert connections_within(1024) == 1024
    assert asked == [(65_536, 524_288)]


def test_where_the_limit_is_low_there_are_fewer_connections_and_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for health, sending and files is kept all the same; with next to nothing left, nothing starts."""
    log = CapturingLogger()
    monkeypatch.setattr(descriptors, "log", log)
    limit(monkeypatch, 400, 400)
    assert connections_within(1024) == 400 - RESERVED
    [warning] = log.calls
    assert (warning.method_name, warning.args) == ("warning", ("few_descriptors",))
    assert "may open only 400 files, so that it takes 144 connections instead of 1024" in warning.kwargs["trouble"]
    limit(monkeypatch, 128, 128)
    with pytest.raises(TooFewDescriptors, match="may open only 128 files, and needs 272 at least: raise its limit"):
        connections_within(1024)
