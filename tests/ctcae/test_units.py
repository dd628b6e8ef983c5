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


@pytest.mark.parametrize(
    ("volume", "litres"),
    [
        *(("L", 1), ("l", 1), ("dL", Fraction(1, 10)), ("cL", Fraction(1, 100))),
        *(("mL", Fraction(1, 1000)), ("ml", Fraction(1, 1000))),
        *(("uL", Fraction(1, 10**6)), ("nL", Fraction(1, 10**9)), ("pL", Fraction(1, 10**12)), ("fL", Fraction(1, 10**15))),
        *(("dm3", 1), ("cm3", Fraction(1, 10**3)), ("mm3", Fraction(1, 10**6)), ("m3", 1000)),
    ],
)  # fmt: skip
def test_every_volume_is_so_many_litres(volume: str, litres: Fraction) -> None:
    """Of a mass and of a count."""
    for amount in ("g", "", "10*3"):
        whole, part = unit_named(f"{amount}/L"), unit_named(f"{amount}/{volume}")
        assert whole is not None
        assert part is not None
        assert part.factor * litres == whole.factor


@pytest.mark.parametrize(
    ("text", "dimension", "factor"),
    [
        ("1", "ratio", 1),
        ("", "ratio", 1),
        ("[pH]", "ratio", 1),
        ("%", "ratio", Fraction(1, 100)),
        ("s", "time", 1),
        ("ms", "time", Fraction(1, 1000)),
        ("min", "time", 60),
        ("mL/min/{1.73_m2}", "filtration", 1),
        ("mL/s/1.73.m2", "filtration", 60),
        ("mL/min/(173.10*-2.m2)", "filtration", 1),
        ("kat/L", "activity", 60_000_000),
        ("mkat/L", "activity", 60_000),
        ("pkat/L", "activity", Fraction(60, 10**6)),
        ("kU/L", "activity", 1000),
        ("mU/L", "activity", Fraction(1, 1000)),
        ("k[IU]/L", "arbitrary", 1000),
        ("u[iU]/L", "arbitrary", Fraction(1, 10**6)),
        ("fmol/L", "substance", Fraction(1, 10**15)),
        ("meq/L", "equivalents", Fraction(1, 1000)),
        ("1/L", "count", 1),
    ],
)
def test_every_kind_of_unit_has_its_dimension_and_what_it_is_worth(text: str, dimension: str, factor: Fraction) -> None:
    """In g/L, mol/L, eq/L, /L, U/L, [IU]/L, 1, s, mL/min/1.73 m²; one katal is a mole a second, one U a micromole a minute."""
    assert unit_named(text) == (dimension, factor)


@pytest.mark.parametrize("power", range(1, 13))
@pytest.mark.parametrize("sign", ["*", "^"])
def test_a_count_by_a_power_of_ten_is_worth_it(sign: str, power: int) -> None:
    assert unit_named(f"10{sign}{power}/L") == ("count", 10**power)
    assert unit_named(f"10{sign}13/L") is None


@pytest.mark.parametrize(
    ("of", "to"), [("g/L", "U/L"), ("mmol/L", "U/L"), ("U/L", "mmol/L"), ("s", "1"), ("/L", "g/L")]
)
def test_what_is_of_another_kind_is_not_converted(of: str, to: str) -> None:
    """Not even where a molar mass and a charge are known."""
    first, second = unit_named(of), unit_named(to)
    assert first is not None
    assert second is not None
    assert factor_between(first, second, Fraction(40), 2) is None
