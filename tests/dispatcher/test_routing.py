"""Who is told of what."""

from __future__ import annotations

from typing import Any

import pytest

from services.dispatcher.notice import Notice
from services.dispatcher.recipients import ConsoleChannelConfig, Recipient, Recipients
from services.dispatcher.routing import Directory, Route
from tests.dispatcher.test_notice import VALUES

CONSOLE = ConsoleChannelConfig(type="console")


def directory(*people: Recipient) -> Directory:
    return Directory(Recipients(dict.fromkeys("abc", CONSOLE), people))


def person(name: str, channels: str = "a", **filters: Any) -> Recipient:
    return Recipient(name=name, role="operator", channels=tuple(channels), **filters)


ALL = person("all")


@pytest.mark.parametrize(
    ("filters", "changes", "is_told"),
    [
        ({"urgencies": frozenset({"urgent"})}, {}, True),
        ({"urgencies": frozenset({"urgent"})}, {"urgency": "prompt"}, False),
        ({"populations": frozenset({"part-b"})}, {}, False),
        ({"populations": frozenset({"part-b"})}, {"population": None}, True),
        ({"levels": frozenset({1})}, {}, False),
        ({"levels": frozenset({1, 2})}, {}, True),
        ({"levels": frozenset({1})}, {"dose_level": None}, True),
        ({"operational": False}, {}, True),
        ({"operational": False}, {"subject": None, "case": "unwatched:FR01-001"}, False),
        ({"operational": False}, {"subject": None, "case": "cohort:A/2", "population": None}, True),
        ({"levels": frozenset({1})}, {"subject": None, "case": "cohort:A/2", "population": None}, False),
        ({"levels": frozenset({1})}, {"subject": None, "case": "intake:0/1", "population": None}, True),
    ],
)
def test_filters_choose(filters: dict[str, Any], changes: dict[str, Any], is_told: bool) -> None:
    """What is not known of an alert passes; a dose level on hold concerns whoever takes that level."""
    routes = directory(ALL, person("one", **filters)).takers(Notice(**VALUES | changes))
    assert (Route("one", "a") in routes) == is_told
    assert Route("all", "a") in routes


def test_an_urgent_alert_that_no_filter_takes_goes_to_all() -> None:
    """A filter says who is spared, not that nobody is told; what is less than urgent may be nobody's."""
    people = directory(person("one", levels=frozenset({1})), person("two", levels=frozenset({3})))
    assert {route.recipient for route in people.takers(Notice(**VALUES))} == {"one", "two"}
    assert people.takers(Notice(**VALUES | {"urgency": "prompt"})) == []
    nobody_looks_after_it = directory(person("one", operational=False))
    assert nobody_looks_after_it.takers(Notice(**VALUES | {"subject": None, "case": "unwatched:FR01-001"}))


@pytest.mark.parametrize(
    ("failing", "told"),
    [("a", {"ann b", "cleo c"}), ("ab", {"cleo c"}), ("abc", set()), ("", {"ann a", "ann b", "ben a", "cleo c"})],
)
def test_an_alert_about_a_channel_never_goes_over_one_that_fails(failing: str, told: set[str]) -> None:
    """It waits for nobody there: where every channel fails it is in the log, and told when one works again."""
    people = directory(person("ann", "ab"), person("ben", "a"), person("cleo", "c"))
    routes = people.takers(Notice(**VALUES), set(failing))
    assert {f"{route.recipient} {route.channel}" for route in routes} == told


def test_who_was_reached_otherwise_is_reached_as_they_are_now() -> None:
    """By the same channel, or, where they have it no more, by those they have; who has left is not."""
    people = directory(person("ann", "bc"))
    assert people.current(Route("ann", "b")) == [Route("ann", "b")]
    assert people.current(Route("ann", "a")) == [Route("ann", "b"), Route("ann", "c")]
    assert people.current(Route("ben", "a")) == []
