"""The lexicon: what a reported term says about organ, immune concept, injection site, flu-like illness and analytes.

The terms are data (``lexicon.csv``), reviewable without reading code; one row a term, English or French (rules.md §3.6).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Set
from functools import lru_cache
from importlib import resources
from typing import Final, Literal, NamedTuple

ImmuneWord = Literal["concept", "no"]
FlagWord = Literal["yes", "ask", "no"]

_PUNCTUATION: Final = re.compile(r"[^0-9a-z]+")
_STRENGTH: Final = {"no": 0, "ask": 1, "yes": 2}
OTHER_SPECIFY: Final = "other specify"


class LexiconEntry(NamedTuple):
    """What the lexicon says of one term. ``organ`` is empty when the term names none, ``"?"`` when it must be adjudicated."""

    term: str
    organ: str
    immune: ImmuneWord
    injection_site: FlagWord
    flu_like: FlagWord
    analytes: tuple[str, ...]


class TermReading(NamedTuple):
    """What the terms of one adverse event say together; without entries it is unrecognised.

    The strongest answer counts for immune concept, organ and injection site, the weakest for flu-like (rules.md §3.6). What
    gives an entry gives the one that decides, so that a reason names the right term.
    """

    entries: tuple[LexiconEntry, ...]

    @property
    def recognised(self) -> bool:
        """Whether any of the terms stands in the lexicon."""
        return bool(self.entries)

    def with_organ(self, organs: Set[str]) -> LexiconEntry | None:
        """The first entry whose organ is one of ``organs``; an empty string is that of a term which names none."""
        return next((entry for entry in self.entries if entry.organ in organs), None)

    @property
    def immune(self) -> LexiconEntry:
        """The entry that decides whether it is an immune-related concept. Only where recognised."""
        return max(self.entries, key=lambda entry: entry.immune == "concept")

    @property
    def injection_site(self) -> LexiconEntry:
        """The entry that decides whether it is an injection site reaction. Only where recognised."""
        return max(self.entries, key=lambda entry: _STRENGTH[entry.injection_site])

    @property
    def flu_like(self) -> LexiconEntry:
        """The entry that decides whether it is flu-like. Only where recognised."""
        return min(self.entries, key=lambda entry: _STRENGTH[entry.flu_like])


@lru_cache(maxsize=65536)
def normalised(term: str) -> str:
    """A term without case and accents, oe for the ligature, punctuation as one space."""
    folded = unicodedata.normalize("NFKD", term.casefold().replace("œ", "oe").replace("æ", "ae"))
    plain = "".join(c for c in folded if not unicodedata.combining(c))
    return _PUNCTUATION.sub(" ", plain).strip()


class Lexicon:
    """Terms looked up whole, after normalisation."""

    def __init__(self, entries: Iterable[tuple[str, LexiconEntry]]) -> None:
        self._entries: dict[str, LexiconEntry] = {}
        for spelling, entry in entries:
            known = self._entries.setdefault(normalised(spelling), entry)
            if known[1:] != entry[1:]:
                raise ValueError(f"the lexicon says two things of {spelling!r}")

    @classmethod
    def from_csv(cls, lines: Iterable[str]) -> Lexicon:
        """Read ``term,french,organ,immune,injection_site,flu_like,analytes`` with a header line."""
        entries: list[tuple[str, LexiconEntry]] = []
        for row in csv.DictReader(lines):
            entry = LexiconEntry(
                row["term"],
                row["organ"],
                _immune_word(row["immune"]),
                _flag_word(row["injection_site"]),
                _flag_word(row["flu_like"]),
                tuple(row["analytes"].split()),
            )
            entries.extend((spelling, entry) for spelling in (row["term"], row["french"]) if spelling)
        return cls(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, term: str) -> LexiconEntry | None:
        """The entry of one term, or None."""
        return self._entries.get(normalised(term))

    def read(self, term: str, preferred_term: str | None = None, ctcae_term: str | None = None) -> TermReading:
        """What all the terms of one adverse event say together."""
        spellings = [preferred_term, term]
        if ctcae_term and OTHER_SPECIFY not in normalised(ctcae_term):
            spellings.append(ctcae_term)
        found = (entry for spelling in spellings if spelling and (entry := self.find(spelling)))
        return TermReading(tuple(dict.fromkeys(found)))


@lru_cache(maxsize=1)
def default_lexicon() -> Lexicon:
    """The lexicon that comes with Toxwatch."""
    text = resources.files(__package__).joinpath("lexicon.csv").read_text(encoding="utf-8")
    return Lexicon.from_csv(text.splitlines())


def _immune_word(word: str) -> ImmuneWord:
    if word == "concept":
        return "concept"
    if word == "no":
        return "no"
    raise ValueError(f"lexicon: {word!r} is neither concept nor no")


def _flag_word(word: str) -> FlagWord:
    if word == "yes":
        return "yes"
    if word == "ask":
        return "ask"
    if word == "no":
        return "no"
    raise ValueError(f"lexicon: {word!r} is none of yes, ask, no")
