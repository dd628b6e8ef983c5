"""Units of laboratory results: a whitelist of UCUM strings, each with its dimension and an exact factor to the base unit.

A unit library would also accept what no laboratory means (``G/L`` as gauss per litre) and knows no molar mass; what stands
here is every prefix of the units that results are reported in, composed once. Factors are fractions: nothing is rounded.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

MASS: Final = "mass"
SUBSTANCE: Final = "substance"
EQUIVALENTS: Final = "equivalents"
COUNT: Final = "count"
ACTIVITY: Final = "activity"
ARBITRARY: Final = "arbitrary"
RATIO: Final = "ratio"
TIME: Final = "time"
FILTRATION: Final = "filtration"


class Unit(NamedTuple):
    """``factor`` turns a number in this unit into the base: g/L, mol/L, eq/L, /L, U/L, [IU]/L, 1, s, mL/min/1.73 m²."""

    dimension: str
    factor: Fraction


_PREFIXES: Final = {
    "k": Fraction(1000),
    "": Fraction(1),
    "d": Fraction(1, 10),
    "c": Fraction(1, 100),
    "m": Fraction(1, 10**3),
    "u": Fraction(1, 10**6),
    "n": Fraction(1, 10**9),
    "p": Fraction(1, 10**12),
    "f": Fraction(1, 10**15),
}
_VOLUMES: Final = {
    **{
        f"{prefix}{litre}": _PREFIXES[prefix]
        for prefix in ("", "d", "c", "m", "u", "n", "p", "f")
        for litre in ("L", "l")
    },
    "dm3": Fraction(1),
    "cm3": Fraction(1, 10**3),
    "mm3": Fraction(1, 10**6),
    "m3": Fraction(1000),
}
_NUMERATORS: Final = {
    **{f"{prefix}g": (MASS, _PREFIXES[prefix]) for prefix in ("k", "", "d", "c", "m", "u", "n", "p")},
    **{f"{prefix}mol": (SUBSTANCE, _PREFIXES[prefix]) for prefix in ("", "m", "u", "n", "p", "f")},
    **{f"{prefix}eq": (EQUIVALENTS, _PREFIXES[prefix]) for prefix in ("", "m", "u", "n")},
    **{f"{prefix}U": (ACTIVITY, _PREFIXES[prefix]) for prefix in ("k", "", "m", "u")},
    # One katal is a mole a second, one enzyme unit a micromole a minute.
    **{f"{prefix}kat": (ACTIVITY, _PREFIXES[prefix] * 60_000_000) for prefix in ("", "m", "u", "n", "p")},
    **{f"{prefix}[IU]": (ARBITRARY, _PREFIXES[prefix]) for prefix in ("k", "", "m", "u")},
    **{f"{prefix}[iU]": (ARBITRARY, _PREFIXES[prefix]) for prefix in ("k", "", "m", "u")},
    **{number: (COUNT, Fraction(1)) for number in ("", "1")},
    **{f"10{sign}{power}": (COUNT, Fraction(10**power)) for sign in "*^" for power in range(1, 13)},
}


def _whitelist() -> dict[str, Unit]:
    units = {
        f"{numerator}/{volume}": Unit(dimension, scale / size)
        for numerator, (dimension, scale) in _NUMERATORS.items()
        for volume, size in _VOLUMES.items()
    }
    units["1"] = units[""] = units["[pH]"] = Unit(RATIO, Fraction(1))
    units["%"] = Unit(RATIO, Fraction(1, 100))
    units["s"] = Unit(TIME, Fraction(1))
    units["ms"] = Unit(TIME, Fraction(1, 1000))
    units["min"] = Unit(TIME, Fraction(60))
    for area in ("/{1.73_m2}", "/1.73.m2", "/(173.10*-2.m2)"):
        units[f"mL/min{area}"] = Unit(FILTRATION, Fraction(1))
        units[f"mL/s{area}"] = Unit(FILTRATION, Fraction(60))
    return units


_UNITS: Final = _whitelist()
# Text in braces is a remark in UCUM, without meaning for the value: 10*9{cells}/L, {INR}.
_REMARK: Final = re.compile(r"\{[^{}]*\}")


def unit_named(text: str) -> Unit | None:
    """The unit that a UCUM string means; None where it is not one in which results are reported."""
    return _UNITS.get(text) or _UNITS.get(_REMARK.sub("", text))


def factor_between(of: Unit, to: Unit, g_per_mol: Fraction | None, equivalents: int | None) -> Fraction | None:
    """What turns a number in ``of`` into one in ``to``, for an analyte; None where the two cannot be converted."""
    amount = _in_moles(of, g_per_mol, equivalents) if of.dimension != to.dimension else (of.dimension, of.factor)
    target = _in_moles(to, g_per_mol, equivalents) if of.dimension != to.dimension else (to.dimension, to.factor)
    if amount is None or target is None or amount[0] != target[0]:
        return None
    return amount[1] / target[1]


def _in_moles(unit: Unit, g_per_mol: Fraction | None, equivalents: int | None) -> tuple[str, Fraction] | None:
    if unit.dimension == SUBSTANCE:
        return SUBSTANCE, unit.factor
    if unit.dimension == MASS and g_per_mol is not None:
        return SUBSTANCE, unit.factor / g_per_mol
    if unit.dimension == EQUIVALENTS and equivalents is not None:
        return SUBSTANCE, unit.factor / equivalents
    # Units of enzyme activity are reported as international units by some laboratories, and mean the same.
    return (ACTIVITY, unit.factor) if unit.dimension in (ACTIVITY, ARBITRARY) else None
