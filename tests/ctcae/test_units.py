"""UCUM strings: what each is worth, and what is no unit of a result."""

from __future__ import annotations

from fractions import Fraction

import pytest

from projections.ctcae.analytes import analytes
from projections.ctcae.units import factor_between, unit_named

#: The same amount in pairs of units, for an analyte where it takes a molar mass or a charge.
EQUAL = [
    (10, "g/dL", 100, "g/L", None),
    (1, "mg/dL", 10, "mg/L", None),
    (5, "ng/mL", 5, "ug/L", None),
    (1500, "/mm3", Fraction("1.5"), "10*9/L", None),
    (1, "10*3/uL", 1, "10*9/L", None),
    (1, "10*6/mL", 1, "10^9/L", None),
    (4, "{cells}/uL", 4, "10*6/L", None),
    (2, "10*9{cells}/l", 2, "10*9/L", None),
    (60, "U/L", 1, "ukat/L", None),
    (1, "ukat/L", 1000, "nkat/L", None),
    (7, "[IU]/L", 7, "U/L", None),
    (1, "u[IU]/mL", 1, "m[IU]/L", None),
    (4, "meq/L", 4, "mmol/L", "K"),
    (4, "meq/L", 2, "mmol/L", "CA"),
    (Fraction("113.12"), "mg/L", 1000, "umol/L", "CREAT"),
    (Fraction("18.0156"), "mg/dL", 1, "mmol/L", "GLUC"),
    (Fraction("4.0078"), "mg/dL", 1, "mmol/L", "CA"),
    (50, "%", Fraction("0.5"), "1", None),
]


@pytest.mark.parametrize(("a", "of", "b", "to", "test"), EQUAL)
def test_amounts_convert_exactly(a: Fraction, of: str, b: Fraction, to: str, test: str | None) -> None:
    first, second = unit_named(of), unit_named(to)
    assert first is not None
    assert second is not None
    known = analytes()[test] if test else None
    factor = factor_between(first, second, known.g_per_mol if known else None, known.equivalents if known else None)
    assert factor is not None
    assert a * factor == b


@pytest.mark.parametrize(
    "text", ["G/L", "MG/DL", "mg/dl/", "foo", "mmol", "10*9", "U", "mg%", "10^9/M", "/hpf", "mcg/L"]
)
def test_what_is_no_unit_of_a_result_is_not_known(text: str) -> None:
    """G is gauss in UCUM: whoever writes G/L is asked what was meant."""
    assert unit_named(text) is None


def test_what_no_molar_mass_connects_is_not_converted() -> None:
    first, second = unit_named("g/L"), unit_named("mmol/L")
    assert first is not None
    assert second is not None
    assert factor_between(first, second, None, None) is None
    assert analytes()["FIBRINO"].measured_in(first)
    assert not analytes()["FIBRINO"].measured_in(second)


@pytest.mark.parametrize(
    ("prefix", "power"), [("k", 3), ("d", -1), ("c", -2), ("m", -3), ("u", -6), ("n", -9), ("p", -12)]
)
def test_every_prefix_is_its_power_of_ten(prefix: str, power: int) -> None:
    """Of a substance, per litre."""
    whole, part = unit_named("g/L"), unit_named(f"{prefix}g/L")
    assert whole is not None
    assert part is not None
    assert part.factor / whole.factor == Fraction(10) ** power
