"""How laboratories spell their units, and which UCUM string each spelling means.

Import, gateway and ``toxwatch grade`` all read units through :func:`read_unit`. ``unit_spellings.csv`` is the table of
words; a unit is an amount over a volume (``mcmol/L``), a count over a volume (``x10E3/uL``), or a spelling of its own.
Capitals matter only where they change the meaning: ``G/L`` is 10*9/L for a count and g/L for a mass.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple

from projections.ctcae.analytes import analytes
from projections.ctcae.units import Unit, unit_named

#: Longer texts are no unit; nothing is spent on them.
CHARACTERS_MAX: Final = 60
#: 10 to the power of 12 in a litre is the most that is counted.
POWER_MAX: Final = 12


class Spelled(NamedTuple):
    """A unit that was recognised: its UCUM string (empty: the result has no unit), and what it is worth."""

    ucum: str
    unit: Unit


_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPT: Final = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
#: Signs that mean the same, and UTF-8 that was read as Latin-1 on its way.
_SIGNS: Final = {
    "Âµ": "u", "Î¼": "u", "µ": "u", "μ": "u", "×": "x", "\u2044": "/", "\u2215": "/", "·": ".", "⋅": ".", "\u2219": ".",
    "\u2212": "-", "\u2013": "-", "\u200b": "", "\ufeff": "",
}  # fmt: skip
_REMARK: Final = re.compile(r"\{(?!1\.73)[^{}]*\}")
#: ``mmol.L-1``, ``mmol L^-1`` and ``10*9.L-1``: the volume as a power.
_INVERSE: Final = re.compile(r"[ .*]([A-Za-z]+)\^?-1$")
#: 10^9, 10*9, 10**9, 10E9, 10E+9, 10x9, 10(9), 10 9, 10exp9, E9, 1E9; with or without a sign of multiplication before.
_POWER: Final = re.compile(
    r"[x*]?(?:10(?:\^|\*{1,2}|e\+?|x\^?e?|exp|pow|\(|\[)\+?0?(\d{1,2})[)\]]?|1?\.?0*e\+?0?(\d{1,2}))"
)
_LOST_SUPERSCRIPT: Final = re.compile(r"x?10(3|6|9|12)")
_ROUND: Final = re.compile(r"x?1(0{1,12})")
_FILTRATION: Final = re.compile(
    r"ml/(min|mn|m|s|sec)[/.*]?(?:\{1\.73_m2\}|\(?1[.,]73(?:m2|m\^2|m\*2|sqm|sq\.m|squarem|m²)?\)?|\(173\.10\*-2\.m2\))"
)
#: A thousand or a million of a litre is no count of cells: K/L must mean something else.
_SMALL_VOLUMES: Final = frozenset({"uL", "mm3", "nL", "mL"})
_FOR_SMALL_VOLUMES: Final = frozenset({"k", "M"})


@lru_cache(maxsize=8192)
def read_unit(text: str, test: str | None = None) -> Spelled | None:
    """The unit that a laboratory's spelling means for a test; None where it means none, or more than one thing.

    An analyte that is known decides what capitals leave open, and takes no unit in which it is not reported.
    """
    if len(text) > CHARACTERS_MAX:
        return None
    known = analytes().get(test) if test else None
    found: dict[Unit, Spelled] = {}
    for ucum in _readings(text):
        unit = unit_named(ucum)
        if unit is not None and (known is None or not ucum or known.measured_in(unit)):
            found.setdefault(unit, Spelled(ucum, unit))
            if ucum == text:
                break  # UCUM itself is taken at its word
    return next(iter(found.values())) if len(found) == 1 else None


def _readings(text: str) -> Iterator[str]:
    """Every UCUM string that a spelling may stand for."""
    if "^" not in text:
        yield text.strip()
    plain = _plain(text)
    folded = plain.lower()
    wholes = _words("whole")
    whole = next((wholes[each] for each in (plain, folded, folded.replace(" ", "")) if each in wholes), None)
    if whole is not None:
        yield whole
        return
    filtered = _FILTRATION.fullmatch(folded.replace(" ", "").replace("per", "/"))
    if filtered is not None:
        yield f"mL/{'s' if filtered[1].startswith('s') else 'min'}/{{1.73_m2}}"
        return
    yield from _ratios(plain)


def _ratios(plain: str) -> Iterator[str]:
    """Amounts and counts over a volume."""
    above, slash, below = _over(plain).partition("/")
    if not slash:
        return
    volume = _volume(below)
    if volume is None:
        return
    amount = _amount(above)
    if amount is not None:
        yield f"{amount}/{volume}"
    power = _power(above, volume)
    if power is not None:
        yield _count(power, volume)


def _plain(text: str) -> str:
    """Without remarks, superscripts, and the signs that look alike."""
    text = _SUPERSCRIPT.sub(lambda found: "^" + found[0].translate(_SUPERSCRIPTS), text)
    for sign, same in _SIGNS.items():
        text = text.replace(sign, same)
    text = unicodedata.normalize("NFKC", text).replace("μ", "u")
    return " ".join(_REMARK.sub("", text).split())


def _over(plain: str) -> str:
    """One slash between amount and volume, whatever it was written as."""
    plain = re.sub(r"\s*\bper\b\s*", "/", plain, flags=re.IGNORECASE)
    if "/" not in plain:
        plain = _INVERSE.sub(r"/\1", plain)
    return re.sub(r"\s*/\s*", "/", plain)


def _volume(below: str) -> str | None:
    folded = below.lower().replace(" ", "").rstrip(".")
    known = _words("volume")
    if folded in known:
        return known[folded]
    for prefix, meaning in _words("prefix").items():
        # No laboratory reports by the centilitre: "G/cL" is a slip for some other unit, ten times or a billion times off.
        if meaning != "c" and folded.startswith(prefix) and known.get(folded[len(prefix) :]) == "L":
            return f"{meaning}L"
    return None


def _amount(above: str) -> str | None:
    folded = above.lower()
    for written in (folded, folded.replace(".", "").replace(" ", "")):
        if written in _words("amount"):
            return _words("amount")[written]
        for prefix, meaning in sorted(_words("prefix").items(), key=lambda each: -len(each[0])):
            rest = written.removeprefix(prefix).strip() if written.startswith(prefix) else ""
            if rest in _words("amount"):
                return f"{meaning}{_words('amount')[rest]}"
    return None


def _power(above: str, volume: str) -> int | None:
    """The power of ten that is counted in the volume."""
    bare = re.sub(r"\b(cells?|particles|counts?|plts?|platelets)\b\.?", "", above, flags=re.IGNORECASE).strip(" .")
    words = _words("count")
    for written in (bare, bare.lower()):
        # A single capital letter means something else in lower case.
        known = words.get(written)
        if known is not None:
            return int(known) if written not in _FOR_SMALL_VOLUMES or volume in _SMALL_VOLUMES else None
    squeezed = bare.lower().replace(" ", "")
    power = _POWER.fullmatch(squeezed) or _POWER.fullmatch(bare.lower().replace("10 ", "10^").replace(" ", ""))
    if power is not None:
        found = int(power[1] or power[2])
        return found if found <= POWER_MAX else None
    lost, plain = _LOST_SUPERSCRIPT.fullmatch(squeezed), _ROUND.fullmatch(squeezed)
    return int(lost[1]) if lost is not None else len(plain[1]) if plain is not None else None


def _count(power: int, volume: str) -> str:
    """As the event contract writes counts: 10*9/L, 10*12/L, else the power over the volume."""
    if not power:
        return f"/{volume}"
    worth = unit_named(f"10*{power}/{volume}")
    for usual in ("10*9/L", "10*12/L", "10*6/L"):
        if worth == unit_named(usual):
            return usual
    return f"10*{power}/{volume}"


@lru_cache(maxsize=8)
def _words(part: str) -> dict[str, str]:
    text = resources.files(__package__).joinpath("unit_spellings.csv").read_text(encoding="utf-8")
    return {row["spelling"]: row["ucum"] for row in csv.DictReader(text.splitlines()) if row["part"] == part}
