"""What a term says of a toxicity (rules.md §3.6), read from the lexicon's table."""

from __future__ import annotations

import csv
import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import Final

from tests.second_reader.dates import NO, UNKNOWN, YES, any_of
from tests.second_reader.record import Json

MAJOR: Final = frozenset(
    [
        "heart",
        "lung",
        "liver",
        "gastrointestinal",
        "kidney",
        "central-nervous-system",
        "peripheral-nervous-system",
        "blood",
        "pancreas",
    ]
)
MINOR: Final = frozenset({"skin", "thyroid", "joint"})
Entry = dict[str, str]


def normal(term: str) -> str:
    """Without case and accents, ``œ`` as ``oe``, punctuation as a space."""
    plain = term.casefold().replace("œ", "oe").replace("æ", "ae")
    bare = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w]|_", " ", bare).split())


@lru_cache(maxsize=1)
def _lexicon() -> dict[str, Entry]:
    text = files("projections.rules.facts").joinpath("lexicon.csv").read_text(encoding="utf-8")
    found: dict[str, Entry] = {}
    for row in csv.DictReader(text.splitlines()):
        for name in (row["term"], row["french"]):
            if name:
                found.setdefault(normal(name), row)
    return found


def entries(data: Json) -> list[Entry]:
    """What the lexicon says of each of the record's terms that it knows."""
    coded = data.get("ctcae_term")
    named = [data.get("preferred_term"), None if coded and "other, specify" in coded.lower() else coded, data["term"]]
    return [_lexicon()[normal(name)] for name in named if name and normal(name) in _lexicon()]


def explains(data: Json, analyte: str) -> bool:
    return any(analyte in entry["analytes"].split() for entry in entries(data))


def immune(data: Json) -> int:
    flag = data.get("immune_related")
    if flag is not None:
        return YES if flag else NO
    found = entries(data)
    if not found:
        return UNKNOWN
    return any_of({"concept": UNKNOWN, "ask": UNKNOWN, "no": NO}.get(entry["immune"], UNKNOWN) for entry in found)


def injection_site(data: Json) -> int:
    flag = data.get("injection_site")
    if flag is not None:
        return YES if flag else NO
    found = entries(data)
    if not found:
        return UNKNOWN
    return any_of({"yes": YES, "ask": UNKNOWN, "no": NO}.get(entry["injection_site"], UNKNOWN) for entry in found)


def flu_like(data: Json) -> int:
    if data.get("immune_related"):
        return NO
    flag = data.get("flu_like")
    if flag is not None:
        return YES if flag else NO
    found = entries(data)
    return min(({"yes": YES, "ask": UNKNOWN}.get(entry["flu_like"], NO) for entry in found), default=NO)


def responded(data: Json) -> int:
    flag = data.get("responded_to_therapy")
    return UNKNOWN if flag is None else YES if flag else NO


def major_organ(data: Json) -> int:
    stated = set(data.get("organs") or ())
    by_term = any_of(_organ_of_term(entry["organ"]) for entry in entries(data)) if entries(data) else UNKNOWN
    if not stated:
        return by_term
    if stated & MAJOR:
        return YES
    if stated <= MINOR:
        # What no term names is no reason to doubt what the site states.
        return UNKNOWN if by_term == YES or any("?" in entry["organ"] for entry in entries(data)) else NO
    return UNKNOWN


def _organ_of_term(organ: str) -> int:
    if organ in MAJOR:
        return YES
    return NO if organ in MINOR else UNKNOWN
