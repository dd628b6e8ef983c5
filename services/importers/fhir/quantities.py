"""Values, units and reference ranges of Observations: what was measured, and the limits that apply to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final, NamedTuple

from projections.ctcae.analytes import analyte, analytes
from projections.ctcae.spellings import read_unit
from projections.ctcae.units import Unit, factor_between
from services.importers.consumed import Element
from services.importers.fhir.elements import ignore_known, squeezed, valid_day, words_of
from services.importers.mapping import Mapping

_NUMBER: Final = r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,2})?"
_RESULT: Final = re.compile(rf"(<=|>=|=<|=>|<|>|≤|≥)?\s*({_NUMBER})\s*(\S.*)?", re.ASCII)
_BETWEEN: Final = re.compile(
    rf"({_NUMBER})\s*(?:-|–|—|to|\.\.|à|bis)\s*({_NUMBER})\s*(\S.*)?", re.ASCII | re.IGNORECASE
)
_ABOVE: Final = re.compile(rf"(?:>=?|≥|min\.?|from|at least)\s*({_NUMBER})\s*(\S.*)?", re.IGNORECASE)
_BELOW: Final = re.compile(rf"(?:<=?|≤|max\.?|up to|below|less than|jusqu'[àa])\s*({_NUMBER})\s*(\S.*)?", re.IGNORECASE)
#: A comma before three digits may stand for a decimal point or set off thousands.
_THOUSANDS: Final = re.compile(r"\d,\d{3}(?!\d)")
#: More digits than a result has; what has more is no number that is worked with.
_DIGITS: Final = 30
_NORMAL: Final = frozenset({"normal", "normalrange"})
_FEMALE: Final = frozenset({"female", "f", "women", "woman", "248152002", "femme", "femmes", "weiblich", "females"})
_MALE: Final = frozenset({"male", "m", "men", "man", "248153007", "homme", "hommes", "mannlich", "males"})
_PREGNANT: Final = re.compile(r"pregnan|grossesse|enceinte|lactat", re.IGNORECASE)
_DAYS: Final = {
    **dict.fromkeys(["a", "y", "yr", "yrs", "year", "years", "ans"], 365.25),
    **dict.fromkeys(["mo", "month", "months", "mois"], 30.4375),
    **dict.fromkeys(["wk", "w", "week", "weeks"], 7.0),
    **dict.fromkeys(["d", "day", "days"], 1.0),
    **dict.fromkeys(["h", "hour", "hours"], 1 / 24),
}


class Quantity(NamedTuple):
    """A number with its comparator and its unit, as they are written. ``odd``: what is to be said of it."""

    comparator: str = ""
    value: str = ""
    unit: str = ""
    odd: str = ""


class ReferenceLimits(NamedTuple):
    """The limits that apply, in the unit of the value; and what is to be said of those that are left out."""

    low: str = ""
    high: str = ""
    odd: tuple[str, ...] = ()


class RangeSubject(NamedTuple):
    """For whom a range must be: as far as it is known."""

    sex: str
    born: str
    on: str


class _Range(NamedTuple):
    """One reference range. ``applies``: True, False, or None where it cannot be told."""

    low: str
    high: str
    unit: str
    applies: bool | None
    element: Element


def quantity_of(element: Element, test: str, mapping: Mapping) -> Quantity:
    """A Quantity, whose unit is the code where that is known, else the text; of two that contradict each other neither."""
    ignore_known(element, "system", "id", reason="UCUM, or a unit that is looked up by its spelling")
    value, comparator = element["value"].text(), element["comparator"].text()
    code, unit = element["code"].text(), element["unit"].text()
    known_code, known_unit = unit_of(code, test, mapping), unit_of(unit, test, mapping)
    if known_code is not None and known_unit is not None and known_code != known_unit:
        message = f"the code of the unit is {code} and its text {unit}, which is something else: no unit is written"
        return Quantity(comparator, value, "", message)
    return Quantity(
        comparator,
        value,
        code if known_code is not None or not unit else unit if known_unit is not None else code or unit,
    )


def quantity_in(text: str) -> Quantity | None:
    """A number with a comparator and a unit in a text: ``> 900 U/L``."""
    found = _RESULT.fullmatch(text.strip())
    if found is None or _THOUSANDS.search(text):
        return None
    return Quantity(
        {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}.get(found[1], found[1] or ""),
        _plain(found[2]),
        (found[3] or "").strip(),
    )


def unit_of(text: str, test: str, mapping: Mapping) -> Unit | None:
    """The unit that a spelling means for a test, by the mapping or by itself."""
    if not text:
        return None
    own = mapping.lb.tests.get(test)
    named = (own.units.get(text) if own is not None else None) or mapping.lb.units.get(text)
    spelled = read_unit(named or text, analyte(own.test or test if own is not None else test))
    return None if spelled is None else spelled.unit


def limits_of(
    ranges: Iterable[Element], quantity: Quantity, test: str, who: RangeSubject, mapping: Mapping
) -> ReferenceLimits:
    """Of several reference ranges the one that applies to sex, age and type, in the value's unit; else none, with a line."""
    every = [_range(element, who) for element in ranges]
    every = [each for each in every if each.low or each.high]
    if not every:
        return ReferenceLimits()
    left = [each for each in every if each.applies is not False]
    if not left:
        return ReferenceLimits(odd=("no reference range is for this person: no limits are written",))
    value_unit = unit_of(quantity.unit, test, mapping)
    same = [
        each
        for each in left
        if not each.unit or each.unit == quantity.unit or unit_of(each.unit, test, mapping) == value_unit
    ]
    left = same or left
    if any(each.applies is None for each in left) and len(left) == 1:
        return ReferenceLimits(
            odd=("whether the only reference range is for this person cannot be told: no limits are written",)
        )
    converted = {_converted(each, quantity, value_unit, test, mapping) for each in left}
    if len(converted) > 1:
        return ReferenceLimits(odd=(f"{len(left)} reference ranges may apply, and they differ: no limits are written",))
    limits = next(iter(converted))
    if limits is None:
        unit = left[0].unit
        return ReferenceLimits(
            odd=(f"limits in {unit}, which cannot be converted to {quantity.unit or 'no unit'}: no limits are written",)
        )
    odd = (
        (f"limits in {left[0].unit} were converted to {quantity.unit}",)
        if limits != (left[0].low, left[0].high)
        else ()
    )
    return ReferenceLimits(*limits, odd)


def _range(element: Element, who: RangeSubject) -> _Range:
    element["id"].ignore(reason="of the element alone")
    low, low_unit = _limit(element["low"])
    high, high_unit = _limit(element["high"])
    unit = low_unit or high_unit
    text = element["text"].text()
    if not low and not high and text:
        low, high, unit = _written(text)
        if not low and not high:
            element["text"].unread()
    if low_unit and high_unit and low_unit != high_unit:
        element["low"].unread()
        element["high"].unread()
        return _Range("", "", "", None, element)
    return _Range(low, high, unit, _applies(element, who), element)


def _limit(element: Element) -> tuple[str, str]:
    ignore_known(element, "system", "id", reason="UCUM, or a unit that is looked up by its spelling")
    code, unit = element["code"].text(), element["unit"].text()
    value = element["value"].text()
    if value and _decimal(value) is None:
        element["value"].unread()
        value = ""
    return value, code or unit


def _written(text: str) -> tuple[str, str, str]:
    """Limits in a text: ``7 - 40 U/L``, ``<40``, ``> 1.0``."""
    plain = text.strip().strip("()[]")
    for pattern, place in ((_BETWEEN, "both"), (_BELOW, "high"), (_ABOVE, "low")):
        found = pattern.fullmatch(plain)
        if found is not None:
            numbers = [_plain(each) for each in found.groups()[:-1]]
            unit = (found.groups()[-1] or "").strip()
            return (
                (numbers[0], numbers[-1], unit)
                if place == "both"
                else ("", numbers[0], unit)
                if place == "high"
                else (numbers[0], "", unit)
            )
    return "", "", ""


def _plain(number: str) -> str:
    return number.replace(",", ".")


def _applies(element: Element, who: RangeSubject) -> bool | None:
    """Whether a range is for this person and says what is normal: no for one reason is no."""
    answers = [
        _type_applies(element["type"]),
        *(_group_applies(each, who) for each in element["appliesTo"]),
        _age_applies(element["age"], who),
    ]
    return False if False in answers else None if None in answers else True


def _type_applies(kind: Element) -> bool:
    words = words_of(kind)
    return not words or any(squeezed(word.text) in _NORMAL for word in words)


def _group_applies(group: Element, who: RangeSubject) -> bool | None:
    words = words_of(group)
    plain = {squeezed(word.text) for word in words}
    female, male = not plain.isdisjoint(_FEMALE), not plain.isdisjoint(_MALE)
    if female != male:
        return None if not who.sex else (who.sex == "F") == female
    if any(_PREGNANT.search(word.text) for word in words):
        return False if who.sex == "M" else None
    return None


def _age_applies(age: Element, who: RangeSubject) -> bool | None:
    if not age:
        return True
    bounds = [_age_days(age[name]) for name in ("low", "high")]
    age["id"].ignore(reason="of the element alone")
    days = _days_between(who.born, who.on)
    if days is None or (bounds == [None, None]):
        return None
    least, most = days
    low, high = bounds
    if (low is not None and most < low) or (high is not None and least > high):
        return False
    return True if (low is None or least >= low) and (high is None or most <= high) else None


def _age_days(element: Element) -> float | None:
    ignore_known(element, "system", "id", "comparator", reason="UCUM")
    code, unit, value = element["code"].text(), element["unit"].text(), element["value"].text()
    number = _decimal(value)
    scale = _DAYS.get(code.lower()) or _DAYS.get(unit.lower())
    return None if number is None or scale is None else float(number) * scale


def _days_between(born: str, on: str) -> tuple[float, float] | None:
    """The least and the most days that somebody may have lived on a day."""
    first, last = _day(born, 1, 1), _day(born, 12, 28)
    now = _day(on, 1, 1)
    return (
        None if first is None or last is None or now is None else (float((now - last).days), float((now - first).days))
    )


def _day(text: str, month: int, day: int) -> date | None:
    if not valid_day(text):
        return None
    parts = [int(part) for part in text[:10].split("-")]
    return date(*[*parts, *[month, day][len(parts) - 1 :]][:3])


def _converted(
    each: _Range, quantity: Quantity, to: Unit | None, test: str, mapping: Mapping
) -> tuple[str, str] | None:
    """The limits in the unit of the value; None where they cannot be had in it."""
    if not each.unit or each.unit == quantity.unit:
        return each.low, each.high
    of = unit_of(each.unit, test, mapping)
    if not quantity.unit:
        return each.low, each.high
    if of is None or to is None:
        return None
    if of == to:
        return each.low, each.high
    known = analytes().get(test)
    factor = factor_between(of, to, known.g_per_mol if known else None, known.equivalents if known else None)
    if factor is None:
        return None
    return _times(each.low, factor), _times(each.high, factor)


def _times(number: str, factor: Fraction) -> str:
    value = _decimal(number)
    if value is None:
        return ""
    exact = Fraction(value) * factor
    return format(Decimal(exact.numerator) / Decimal(exact.denominator), ".12g")


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite() or value.adjusted() > _DIGITS or value.adjusted() < -_DIGITS:
        return None
    return value


def is_number(text: str) -> bool:
    """Whether a text is a number that results are reported in."""
    return _decimal(text) is not None


def less(a: str, b: str) -> bool:
    """Whether one number is below another; no where either is none."""
    first, second = _decimal(a), _decimal(b)
    return first is not None and second is not None and first < second
