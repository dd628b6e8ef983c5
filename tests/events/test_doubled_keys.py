"""The quick proof that no key is written twice, held against the exact parser over very many texts.

``DOUBLED_KEYS_TEXTS=100000`` (``make doubled-keys``) runs it at full size.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

from events.errors import EventRefused
from events.wire import BrokenJsonError, exact, leftovers, nothing_left
from tests.events.samples import CODEC, DATA, event, refused

TEXTS = int(os.environ.get("DOUBLED_KEYS_TEXTS", "6000"))
SEED = 20261130

TIMES = [
    "2017-03-20T09:00:00Z",
    "2017-03-20t09:00:00z",
    "2017-03-20T09:00:00.123456789z",
    "2017-03-20T10:00:00+01:00",
    "2017-03-20t04:00:00-05:00",
]
DATES = ["2017", "2017-03", "2017-03-05", "2017-03-05T08:30:00Z", "2017-03-05T08:30:00+01:00"]
TEXT = ["x", "a:b", '":', '\\":', "::", "\u00e9", "\u2028", "{}", ""]
#: Fields that any kind of event may carry, or that the kinds which know them do, with values that hold colons.
RICH: dict[str, list[Any]] = {
    "ae.reported": [
        {"grades": [{"grade": 2, "from": "2017-03-05T08:30:00+01:00"}, {"grade": 3, "from": "2017-03-06"}]},
        {"causality": {"investigator": {"pexa-vec": "possible"}, "sponsor": {}}},
        {"action_taken": {"ipilimumab": "none"}},
        {"onset": "2017-03-05T08:30:00Z", "aware": "2017-03-05T09:30:00z"},
        {"identifiers": [{"system": "urn:a:b", "value": ":"}]},
        {"term": "a:b"},
    ],
    "dlt.adjudicated": [
        {"signatures": [{"party": "sponsor", "name": "a:b", "at": "2017-03-01T10:00:00z"}]},
        {"decided": "2017-03-01t10:00:00z"},
        {"reason": "because: so"},
    ],
}
KINDS = [name.removeprefix("toxwatch.").removesuffix(".v1") for name in DATA]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object that may hold a key more than once."""


class Writer:
    """Writes texts from a seed: most of them events, some with a key given twice somewhere."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def text(self) -> bytes:
        kind = self.chance.choice(KINDS)
        data = dict(self.chance.choice(RICH.get(kind, [{}])))
        if self.chance.random() < 0.2:
            data["x"] = {"note": self.chance.choice(TEXT), "list": [{"d": 1}]}
        attributes: dict[str, Any] = {"time": self.chance.choice(TIMES)}
        if "clock" in kind:
            attributes["source"] = "urn:toxwatch:t"
        for name, values in (("receivedtime", TIMES), ("actor", TEXT), ("traceparent", TEXT), ("ext", TEXT)):
            if self.chance.random() < 0.25:
                attributes[name] = self.chance.choice(values)
        whole = self._pairs(event(kind, data, **attributes))
        for _ in range(self.chance.choice([0, 0, 1, 1, 2])):
            self._double(whole)
        return self._written(whole)

    def _pairs(self, value: Any) -> Any:
        if isinstance(value, dict):
            return _Pairs((key, self._pairs(item)) for key, item in value.items())
        return [self._pairs(item) for item in value] if isinstance(value, list) else value

    def _double(self, whole: _Pairs) -> None:
        """Give one key of one object again: with its value, another's, or a text with few or many colons."""
        holder = self.chance.choice([found for found in self._objects(whole) if found])
        key, value = self.chance.choice(holder)
        other = self.chance.choice([value, self.chance.choice(holder)[1], *TEXT, *TIMES, *DATES, 1, None, _Pairs()])
        at = self.chance.randrange(len(holder) + 1)
        holder.insert(at, (key, other))

    def _objects(self, value: Any) -> list[_Pairs]:
        if isinstance(value, _Pairs):
            return [value, *(found for _, item in value for found in self._objects(item))]
        return [found for item in value for found in self._objects(item)] if isinstance(value, list) else []

    def _written(self, value: Any) -> bytes:
        self.ascii = self.chance.random() < 0.3
        self.blanks = self.chance.choice([[""], [" "], ["", " ", "\t", "\r\n"]])
        return self._text(value).encode()

    def _text(self, value: Any) -> str:
        if isinstance(value, _Pairs):
            members = (f"{self._text(key)}{self._blank()}:{self._blank()}{self._text(item)}" for key, item in value)
            return "{" + self._blank() + f",{self._blank()}".join(members) + "}"
        if isinstance(value, list):
            return "[" + f",{self._blank()}".join(map(self._text, value)) + self._blank() + "]"
        return json.dumps(value, ensure_ascii=self.ascii)

    def _blank(self) -> str:
        return self.chance.choice(self.blanks)


def _exactly(raw: bytes) -> bool:
    """Whether the exact parser finds every key written once."""
    try:
        exact(raw)
    except BrokenJsonError:
        return False
    return True


def test_no_text_with_a_key_given_twice_is_taken() -> None:
    """In every kind of event, every spelling of an instant, every place: what is taken has each key once.

    And where the quick proof says that nothing is left to be found, the slow look finds nothing.
    """
    writer = Writer(SEED)
    taken = proven = doubled = 0
    for _ in range(TEXTS):
        raw = writer.text()
        is_exact = _exactly(raw)
        doubled += not is_exact
        try:
            logged = CODEC.decode(raw)
        except EventRefused:
            continue
        taken += 1
        assert is_exact, raw
        if nothing_left(raw, logged.event):
            proven += 1
            assert leftovers(raw, logged.event) == [], raw
    assert min(taken, proven, doubled) > TEXTS / 20, (taken, proven, doubled)


def test_a_time_that_ends_in_a_lower_case_z_hides_no_key() -> None:
    """The instance that was found: its colons were counted as those of an offset."""
    raw = json.dumps(event("ae.reported", {"grade": 1}, time="2017-03-20T09:00:00z")).encode()
    assert CODEC.decode(raw)
    spoilt = raw.replace(b'"grade": 1', b'"grade": 4, "grade": 1')
    assert "'grade' is given twice" in refused(spoilt).error
