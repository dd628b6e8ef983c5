"""Ten thousand lines with something wrong in each, among good ones: no crash, no good line lost, each bad one told once."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest

from events.codec import LINE_BYTES_MAX
from tests.files.command_line import Outcome, assess
from tests.files.writing import Json, Site, line

MUTANTS: Final = 10_000
SEED: Final = 20170213
AS_OF: Final = "2199-01-01T00:00:00Z"
WRONG_VALUES: Final = [None, True, "", "x", "2017-13-45", -1, 0.5, 1e300, 2**70, [], {}, [[]], {"a": 1}, "a" * 2001]
ANYWHERE: Final = bytes(value for value in range(256) if value not in b"\n")


class Line(NamedTuple):
    """``wrong``: by the way it was made, it cannot be taken. Without, nobody knows: a byte of a text may have changed."""

    raw: bytes
    wrong: bool


def good_lines() -> list[bytes]:
    """Three subjects: a DLT, one that is open, one overruled."""
    subjects = [Site(subject=f"FR01-00{number}") for number in (1, 2, 3)]
    events = [
        event for site in subjects for event in (*site.treated(), site.ae(), site.lab(), site.visit("2017-03-20"))
    ]
    return [line(event) for event in (*events, subjects[2].adjudicated("not-dlt"))]


def mutants(rng: random.Random) -> list[Line]:
    """Each of a subject of its own at another site, so that what survives touches no good one."""
    made = []
    for number in range(MUTANTS):
        site = Site(subject=f"FR02-{10_000 + number}", site="FR02", source="urn:site:FR02:edc")
        events = (
            site.enrolled(),
            site.dosed(),
            site.ae(),
            site.lab(),
            site.visit("2017-03-01"),
            site.adjudicated("dlt"),
        )
        event = rng.choice(events)
        made.append(rng.choices(MUTATIONS, weights=WEIGHTS)[0](event, rng))
    return made


def bytes_changed(event: Json, rng: random.Random) -> Line:
    raw = bytearray(line(event))
    for _ in range(rng.randint(1, 4)):
        raw[rng.randrange(len(raw))] = rng.choice(ANYWHERE)
    return Line(bytes(raw), False)


def bytes_inserted_or_lost(event: Json, rng: random.Random) -> Line:
    raw = bytearray(line(event))
    at = rng.randrange(len(raw))
    raw[at : at + rng.choice((0, 1, 3))] = bytes(rng.choices(ANYWHERE, k=rng.choice((0, 1, 2))))
    return Line(bytes(raw), False)


def cut(event: Json, rng: random.Random) -> Line:
    raw = line(event)
    return Line(raw[: rng.randrange(1, len(raw))], True)


def required_field_lost(event: Json, rng: random.Random) -> Line:
    name = rng.choice(("specversion", "id", "source", "type", "subject", "site", "time", "trial", "data"))
    return Line(line({key: value for key, value in event.items() if key != name}), True)


def record_field_lost(event: Json, rng: random.Random) -> Line:
    return Line(
        line({**event, "data": {key: value for key, value in event["data"].items() if key != "revision"}}), True
    )


def unknown_field(event: Json, rng: random.Random) -> Line:
    name = rng.choice(("gradee", "Revision", "", "patient", "\0", "a" * 5000))
    return Line(line({**event, "data": {**event["data"], name: rng.choice(WRONG_VALUES)}}), True)


def attribute_of_another_type(event: Json, rng: random.Random) -> Line:
    name = rng.choice(("specversion", "type", "subject", "time", "trial", "data"))
    return Line(line({**event, name: rng.choice(WRONG_VALUES)}), True)


def field_of_another_type(event: Json, rng: random.Random) -> Line:
    """Null may be allowed, and true for a text may not: nobody knows without knowing the field."""
    name = rng.choice(list(event["data"]))
    return Line(line({**event, "data": {**event["data"], name: rng.choice(WRONG_VALUES)}}), False)


def key_twice(event: Json, rng: random.Random) -> Line:
    return Line(line(event)[:-1] + b', "id": "another"}', True)


def deep(event: Json, rng: random.Random) -> Line:
    levels = rng.choice((40, 400, 4000))
    return Line(line(event)[:-1] + b', "deep": ' + b"[" * levels + b"]" * levels + b"}", True)


def huge(event: Json, rng: random.Random) -> Line:
    size = rng.choice((LINE_BYTES_MAX, 2 * LINE_BYTES_MAX, 1_300_000))
    return Line(line({**event, "filling": "a" * size}), True)


def no_event_at_all(event: Json, rng: random.Random) -> Line:
    alien: list[Any] = [b"[]", b"{}", b"null", b"0", b'"a"', b"nonsense", b"{", b"\x00", b"\xff\xfe", b"NaN", b"<xml/>"]
    return Line(rng.choice(alien), True)


WEIGHED: Final[dict[Callable[[Json, random.Random], Line], int]] = {
    bytes_changed: 300,
    bytes_inserted_or_lost: 200,
    cut: 100,
    required_field_lost: 60,
    record_field_lost: 20,
    unknown_field: 60,
    attribute_of_another_type: 100,
    field_of_another_type: 200,
    key_twice: 20,
    deep: 20,
    huge: 1,
    no_event_at_all: 30,
}
MUTATIONS: Final = list(WEIGHED)
WEIGHTS: Final = list(WEIGHED.values())


class Run(NamedTuple):
    """All lines, which of them are good, which certainly bad, and what was said of them."""

    good: set[int]
    wrong: set[int]
    total: int
    outcome: Outcome

    @property
    def refused(self) -> list[int]:
        return [row["line"] for row in self.outcome.json["refused"]]


@pytest.fixture(scope="module")
def run() -> Run:
    rng = random.Random(SEED)
    shuffled: list[tuple[Line, bool]] = [(made, False) for made in mutants(rng)]
    # The good ones keep their order, somewhere among the others.
    places = sorted(rng.sample(range(len(shuffled)), len(good_lines())))
    for place, raw in zip(places, good_lines(), strict=True):
        shuffled.insert(place, (Line(raw, False), True))
    numbered = list(enumerate(shuffled, start=1))
    return Run(
        good={number for number, (_, good) in numbered if good},
        wrong={number for number, (made, _) in numbered if made.wrong},
        total=len(numbered),
        outcome=assess([made.raw for made, _ in shuffled], as_of=AS_OF),
    )


def test_nothing_crashes(run: Run) -> None:
    assert run.outcome.code == 2
    assert "Traceback" not in run.outcome.err


def test_every_good_line_is_judged_as_if_it_were_alone(run: Run) -> None:
    alone = assess(good_lines(), as_of=AS_OF).json

    def of_good_ones(result: Json) -> list[Json]:
        return [case for case in result["cases"] if case["subject"].startswith("FR01-")]

    assert of_good_ones(alone), "the good lines have verdicts"
    assert of_good_ones(run.outcome.json) == of_good_ones(alone)
    assert not run.good & set(run.refused)
    assert next(row for row in run.outcome.json["cohorts"] if row["dose_level"] == 2)["dlts"] >= 2


def test_every_bad_line_is_listed_once(run: Run) -> None:
    """In the JSON and on standard error, in the order of the lines, each with a sentence."""
    assert run.refused == sorted(set(run.refused))
    assert run.wrong <= set(run.refused)
    assert all(row["error"] and row["error"].isprintable() for row in run.outcome.json["refused"])
    assert len(run.outcome.err.split("\n")) - 1 == len(run.refused)


def test_every_line_was_either_judged_or_refused(run: Run) -> None:
    """Each has an id of its own, so that none can hide as a duplicate; and most of the mutants were caught."""
    assert run.outcome.json["events"] + len(run.refused) == run.total
    assert len(run.refused) > MUTANTS * 0.8
    assert run.outcome.json["events"] > len(run.good), "some mutants are still valid, and are taken"


def test_the_same_seed_makes_the_same_lines() -> None:
    assert mutants(random.Random(SEED))[:500] == mutants(random.Random(SEED))[:500]
