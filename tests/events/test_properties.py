"""What holds of any event, and of any bytes."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.catalog import CLASS_BY_TYPE
from events.codec import looks_severe, readable_id
from events.errors import EventRefused
from events.identity import same_content
from events.wire import nothing_left
from tests.events.samples import CODEC, GOLDEN, TIME, accepted, event

GOLDEN_LINES = [line for path in sorted(GOLDEN.glob("*.ndjson")) for line in path.read_bytes().splitlines()]
MUTATIONS = 10_000
STRANGE: list[Any] = [
    None,
    True,
    0,
    -1,
    2.5,
    10**40,
    1e308,
    "",
    "x",
    "x" * 2001,
    "2017",
    "2017-02-30",
    "2017-03-05T08:30:00+99:99",
    "9999-12-31T23:59:59-23:59",
    "0000-00-00",
    "\0",
    "\ud800",
    "é" * 10,
    [],
    [None] * 501,
    [[[]]],
    {},
    {"grade": 9},
    {"a": {"b": float("inf")}},
]

INSERTED = [b"\\u0000", b"\0", b"[" * 500, b"9" * 5000, b"NaN", b'"a":', b"\xef\xbb\xbf"]

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
FREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
EXTENSIONS = st.dictionaries(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).map("ext".__add__), FREE, max_size=3)
DAYS = st.integers(1, 19).map(lambda day: f"2017-03-{day:02d}")


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value, null, or absent."""
    return st.just(...) | st.none() | values


AES = st.fixed_dictionaries(
    {
        "term": TEXT,
        "grade": optional(st.integers(1, 5)),
        "grades": optional(
            st.lists(DAYS, max_size=4).map(lambda days: [{"grade": 2, "from": day} for day in sorted(days)])
        ),
        "serious": optional(st.booleans()),
        "causality": optional(
            st.fixed_dictionaries(
                {},
                optional={
                    who: st.none() | st.dictionaries(st.sampled_from(["pexa-vec", "ipilimumab"]), st.just("possible"))
                    for who in ("investigator", "sponsor")
                },
            )
        ),
        "x": optional(st.dictionaries(TEXT, FREE, max_size=3)),
    }
)
LABS = st.fixed_dictionaries(
    {
        "value": optional(st.floats(0, 1e300)),
        "uln": optional(st.integers(-5, 10**9)),
        "text": optional(TEXT),
        "collected": DAYS,
        "fasting": optional(st.booleans()),
        "x": optional(st.dictionaries(TEXT, FREE, max_size=3)),
    }
)
EVENTS = st.one_of(
    st.tuples(st.just("ae.reported"), AES, EXTENSIONS), st.tuples(st.just("lab.resulted"), LABS, EXTENSIONS)
)


@given(EVENTS, st.booleans(), st.booleans())
def test_what_is_read_is_written_again(drawn: tuple[str, Any, Any], compact: bool, ascii_only: bool) -> None:
    """Absent stays absent, null stays null, extensions and ``x`` are kept, however the line was written."""
    kind, data, extensions = drawn
    whole = event(kind, data, **extensions)
    raw = json.dumps(whole, ensure_ascii=ascii_only, separators=(",", ":") if compact else None).encode()
    logged = CODEC.decode(raw)
    again = CODEC.encode(logged.event)
    assert json.loads(again) == whole
    assert same_content(raw, again)
    assert CODEC.decode(again) == logged
    assert b"\n" not in again


@given(
    st.datetimes(datetime(1901, 1, 1), datetime(2199, 1, 1)),  # noqa: DTZ001 - the offset is drawn beside it
    st.integers(-14 * 60, 14 * 60),
)
def test_an_event_has_one_time_in_any_offset(moment: datetime, minutes: int) -> None:
    """The instant is what counts."""
    utc = moment.replace(tzinfo=timezone(timedelta(0)))
    there = utc.astimezone(timezone(timedelta(minutes=minutes)))
    here = {"data": {"lab_id": "L", "revision": 1, "test": "ALT", "collected": "1900"}}
    first = accepted(json.dumps(event("lab.resulted", time=utc.isoformat()) | here).encode())
    other = accepted(json.dumps(event("lab.resulted", time=there.isoformat()) | here).encode())
    assert first.time == other.time == first.received


def _mutated(rng: random.Random, raw: bytes) -> bytes:
    if rng.random() < 0.5:
        return _mutated_bytes(rng, raw)
    whole = json.loads(raw)
    for _ in range(rng.randint(1, 3)):
        holder = whole
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.7:
                holder = holder[key]
                continue
            _mutate_at(rng, holder, key)
            break
    return json.dumps(whole, separators=rng.choice([None, (",", ":")])).encode()


def _mutate_at(rng: random.Random, holder: Any, key: Any) -> None:
    action = rng.randint(0, 3)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, dict):
        holder[str(key)[: rng.randint(0, 5)] + rng.choice(["", "x", "_", "é"])] = holder.pop(key)
    elif action == 2 and isinstance(key, str) and key == "type":
        holder[key] = rng.choice(list(CLASS_BY_TYPE))
    else:
        holder[key] = rng.choice(STRANGE)


def _mutated_bytes(rng: random.Random, raw: bytes) -> bytes:
    at, to = sorted(rng.choices(range(len(raw)), k=2))
    to = min(to, at + rng.choice([1, 1, 4, 200]))
    match rng.randint(0, 5):
        case 0:
            return raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
        case 1:
            return raw[:at] + raw[to:]
        case 2:
            return raw[:to] + raw[at:]
        case 3:
            return raw[:at]
        case 4:
            return raw[:at] + rng.choice(INSERTED) + raw[at:]
        case _:
            return raw + b" " * rng.choice([1, 300_000])


@pytest.mark.slow
def test_ten_thousand_broken_lines_are_refused_or_taken() -> None:
    """Nothing but a refusal with a sentence ever comes out; what is taken can be written and read again."""
    rng = random.Random(20170213)
    refusals = 0
    for _ in range(MUTATIONS):
        raw = _mutated(rng, rng.choice(GOLDEN_LINES))
        assert looks_severe(raw) in (True, False)
        readable_id(raw)
        try:
            logged = CODEC.decode(raw)
        except EventRefused as refusal:
            refusals += 1
            _assert_readable(refusal)
        else:
            assert CODEC.decode(CODEC.encode(logged.event)) == logged
    assert MUTATIONS * 0.6 < refusals < MUTATIONS


def _objects(value: Any) -> list[dict[str, Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] * isinstance(value, dict) + [found for item in inner for found in _objects(item)]


class _Twice(dict[str, Any]):
    """Writes one of its fields twice."""

    def __init__(self, fields: dict[str, Any], key: str, value: Any) -> None:
        super().__init__(fields)
        self._more = [*fields.items(), (key, value)]

    def items(self) -> Any:
        return self._more


@given(st.sampled_from(GOLDEN_LINES), st.data())
def test_a_field_given_twice_is_always_found(raw: bytes, data: st.DataObject) -> None:
    """In any object of any event, with the same or another value, however the line is written."""
    whole = json.loads(raw)
    found = [holder for holder in _objects(whole) if holder]
    chosen = data.draw(st.sampled_from(range(len(found))))
    key = data.draw(st.sampled_from(list(found[chosen])))
    value = data.draw(st.sampled_from([found[chosen][key], *STRANGE[:4], "a:b", {}]))
    spoilt = _replaced(whole, found[chosen], _Twice(found[chosen], key, value))
    separators = data.draw(st.sampled_from([None, (",", ":"), (", ", " : "), (",", "\t:")]))
    with pytest.raises(EventRefused):
        CODEC.decode(json.dumps(spoilt, separators=separators).encode())


def _replaced(value: Any, old: Any, new: Any) -> Any:
    if value is old:
        return new
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    return [_replaced(item, old, new) for item in value] if isinstance(value, list) else value


def test_ordinary_lines_are_read_once() -> None:
    """The count of colons settles them, so that the slow and exact reading stays what it is: rare."""
    ordinary = [line for line in GOLDEN_LINES if b"-min" in line and b'"case"' not in line]
    ordinary.append(json.dumps(event("lab.resulted", {"collected": "2017-03-01T08:00:00+01:00"})).encode())
    assert len(ordinary) >= 14
    for raw in ordinary:
        compact = json.dumps(json.loads(raw), separators=(",", ":"), ensure_ascii=False).encode()
        assert nothing_left(raw, CODEC.decode(raw).event)
        assert nothing_left(compact, CODEC.decode(compact).event)


def _assert_readable(refusal: EventRefused) -> None:
    assert 5 < len(refusal.error) < 2000
    assert refusal.error.isprintable()
    assert refusal.subject in (None, "FR01-001")
    assert str(refusal) == refusal.error


def test_extension_attributes_may_have_any_name() -> None:
    """Those of the models' own methods too."""
    names = ["copy", "json", "model_config", "record_id", "record_kind", "retracts", "model_fields", "x", "dict"]
    extensions: dict[str, Any] = {name: name for name in names}
    whole = event("lab.resulted", None, **extensions)
    logged = accepted(json.dumps(whole).encode())
    assert json.loads(CODEC.encode(logged.event)) == whole
    assert logged.event.record_id == "L-1"
    assert logged.event.time == TIME
