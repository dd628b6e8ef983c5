"""value[x] of an Observation: a number with its unit where there is one, whichever type it has; else its words."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.importers.consumed import Element
from services.importers.fhir.elements import read_word
from services.importers.fhir.quantities import Quantity, is_number, less, quantity_in, quantity_of, unit_of
from services.importers.mapping import Mapping

_COMPARATORS: Final = frozenset({"", "<", ">", "<=", ">="})
#: Toxicities of these are low values alone: of a range the upper end says how low it is at most.
_LOW_ALONE: Final = frozenset({"NEUT", "WBC", "PLAT", "ALB", "FIBRINO", "CD4", "HAPTOG", "GFRE", "GFRBSCRT", "BICARB"})
_WORDS: Final = ("valueDateTime", "valueTime", "valueDate", "valueBoolean", "valueCode")
_NUMBERS: Final = ("valueInteger", "valueDecimal", "valueInteger64", "valuePositiveInt", "valueUnsignedInt")


class MeasuredValue(NamedTuple):
    """What was measured: a number, or words; and what is to be said of it."""

    comparator: str = ""
    value: str = ""
    unit: str = ""
    text: str = ""
    odd: tuple[str, ...] = ()

    @property
    def said(self) -> bool:
        """Whether there is any result."""
        return bool(self.value or self.text)

    @property
    def quantity(self) -> Quantity:
        """The number with its unit."""
        return Quantity(self.comparator, self.value, self.unit)


def result_of(element: Element, test: str, mapping: Mapping) -> MeasuredValue:
    """The first value[x] that says anything. Whatever else is there stays unread, and is told."""
    quantity = element["valueQuantity"]
    if quantity:
        found = _number(quantity, quantity_of(quantity, test, mapping))
        if found.said:
            return found
    for name in _NUMBERS:
        text = element[name].text()
        if text:
            return MeasuredValue(value=text) if is_number(text) else MeasuredValue(text=text)
    text = element["valueString"].text()
    if text:
        return _from_text(text)
    for name in _WORDS:
        text = element[name].text()
        if text:
            # A year alone is no number that was measured.
            return MeasuredValue(text=f"{name.removeprefix('value').lower()} {text}" if is_number(text) else text)
    if element["valueRange"]:
        return _from_range(element["valueRange"], test, mapping)
    if element["valueRatio"]:
        return _from_ratio(element["valueRatio"], test, mapping)
    word = read_word(element["valueCodeableConcept"])
    return _from_text(word) if word else MeasuredValue()


def _number(element: Element, quantity: Quantity) -> MeasuredValue:
    odd = (quantity.odd,) if quantity.odd else ()
    comparator = quantity.comparator
    if comparator not in _COMPARATORS:
        element["comparator"].unread()
        comparator, odd = "", (*odd, f"the comparator {comparator} is not one of the contract: left out")
    if not quantity.value:
        return MeasuredValue(odd=odd)
    if not is_number(quantity.value):
        return MeasuredValue(
            text=" ".join(filter(None, quantity[:3])),
            odd=(*odd, "not a number that results are reported in: kept as text"),
        )
    return MeasuredValue(comparator, quantity.value, quantity.unit, "", odd)


def _from_text(text: str) -> MeasuredValue:
    found = quantity_in(text)
    if found is None or not is_number(found.value):
        return MeasuredValue(text=text)
    return MeasuredValue(found.comparator, found.value, found.unit)


def _from_range(element: Element, test: str, mapping: Mapping) -> MeasuredValue:
    """A range as the bound that says most about a toxicity: at least its lower end, or of what is low at most its upper."""
    element["id"].ignore(reason="of the element alone")
    low, high = (quantity_of(element[name], test, mapping) for name in ("low", "high"))
    bounds = [(">=", low), ("<=", high)]
    if test in _LOW_ALONE:
        bounds.reverse()
    comparator, bound = next(((sign, each) for sign, each in bounds if is_number(each.value)), ("", Quantity()))
    if not comparator:
        return MeasuredValue(text="range")
    both = is_number(low.value) and is_number(high.value)
    if both and not less(high.value, low.value) and low.value == high.value:
        return MeasuredValue("", low.value, low.unit)
    message = f"a range, {low.value or '?'} to {high.value or '?'}: {comparator} {bound.value} is written"
    return MeasuredValue(comparator, bound.value, bound.unit or low.unit or high.unit, "", (message,))


def _from_ratio(element: Element, test: str, mapping: Mapping) -> MeasuredValue:
    """A ratio over one is a number with a unit; any other is words."""
    element["id"].ignore(reason="of the element alone")
    above, below = (quantity_of(element[name], test, mapping) for name in ("numerator", "denominator"))
    written = f"{above.comparator}{above.value} {above.unit}".strip() + f" / {below.value} {below.unit}".rstrip()
    if is_number(above.value) and below.value in ("", "1", "1.0"):
        unit = f"{above.unit}/{below.unit}" if below.unit and below.unit != "1" else above.unit
        if not unit or unit_of(unit, test, mapping) is not None:
            return MeasuredValue(above.comparator, above.value, unit)
    return MeasuredValue(text=written)
