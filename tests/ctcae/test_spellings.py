"""Units as laboratories spell them, and which UCUM string each means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.ctcae.analytes import analytes
from projections.ctcae.grader import Assay
from projections.ctcae.grading import grade_result
from projections.ctcae.specimens import specimen_named
from projections.ctcae.spellings import read_unit
from projections.ctcae.units import unit_named

#: Per test: what a spelling is worth, and the spellings.
SPELLINGS = [
    (
        "PLAT",
        "10*9/L",
        (
            "10^9/L x10E3/uL K/uL GI/L THOU/uL x10^9/L 10E9/L 10**9/L 10*9/l G/L Giga/L 10^3/µL 10^3/μL THOUSAND/UL k/cumm "
            "X10^3/UL x10³/µL ×10⁹/L 10⁹/L 109/L 103/uL 1000/uL K/mcL k/mm3 10(9)/L x10(3)/mcL 10x3/uL 10x9/L Gpt/L Tsd/µl /nL "
            "E9/L 10*9{cells}/L x10exp9/L 10*9.L-1 thou/mcl 10E+03/uL 10^09/L 1000/mm3 x10e9/l"
        ),
    ),
    ("PLAT", "/mm3", "/cumm cells/mm3 cells/µL /uL #/uL CELLS/UL cells/mcL /cmm"),
    ("CREAT", "umol/L", "mcmol/L µmol/L μmol/L UMOL/L umol/l micromol/L micromoles/L umol.L-1 µmol·L⁻¹ Âµmol/L uM"),
    ("CREAT", "mg/dL", "MG/DL mg/dl mg% mg/100ml Mg/dL"),
    ("HGB", "g/dL", "G/DL gm/dL g% gms/dL grams/dL"),
    ("HGB", "g/L", "g/l G/L GM/L grams/litre"),
    ("ALT", "U/L", "IU/L u/l UI/L units/L U.I./L Units/Liter U/l IE/L E/L [iU]/L iu/l"),
    ("ALT", "ukat/L", "µkat/L ukat/l mcKat/L microkat/L"),
    ("K", "meq/L", "mEq/L MEQ/L mval/L mEq/l mEq/Liter"),
    ("K", "mmol/L", "MMOL/L mmol/l mmol/Liter mM millimol/L"),
    ("GFRE", "mL/min/{1.73_m2}", "mL/min/1.73m2 ml/min/1.73m² mL/min/1.73m^2 ml/mn/1.73m2 mL/min/1.73sqm"),
    ("TSH", "m[IU]/L", "uIU/mL mIU/L mU/L µIU/mL uU/mL mcIU/mL MIU/L"),
    ("APTT", "s", "sec SECONDS seconds SEC Sec."),
    ("APTT", "1", "ratio RATIO"),
    ("INR", "1", "INR ratio {INR}"),
    ("PH", "[pH]", "pH PH"),
]
EACH = [(test, ucum, spelling) for test, ucum, spellings in SPELLINGS for spelling in spellings.split()]
WITH_SPACES = [
    ("PLAT", "10*9/L", "x10 3/mm3"),
    ("PLAT", "10*9/L", "10^9 cells/L"),
    ("PLAT", "10*9/L", "cells x 10^9/L"),
    ("PLAT", "10*9/L", "10 9/L"),
    ("PLAT", "10*9/L", " x 10^9 / l "),
    ("PLAT", "10*9/L", "K/CU MM"),
    ("PLAT", "/uL", "cells per microliter"),
    ("CREAT", "mg/dL", "mg/100 mL"),
    ("ALT", "U/L", "int. units/L"),
    ("GFRE", "mL/min/{1.73_m2}", "mL/min per 1.73 m2"),
]


@pytest.mark.parametrize(("test", "ucum", "spelling"), [*EACH, *WITH_SPACES])
def test_a_spelling_means_one_unit(test: str, ucum: str, spelling: str) -> None:
    """Whatever the capitals, the sign for micro, and how a power of ten is written."""
    found, meant = read_unit(spelling, test), unit_named(ucum)
    assert found is not None
    assert meant is not None
    assert found.unit.factor == meant.factor
    assert unit_named(found.ucum) == found.unit
    assert analytes()[test].measured_in(found.unit)


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("PLAT", "g/L"),
        ("PLAT", "g/l"),
        ("PLAT", "K/L"),
        ("PLAT", "%"),
        ("PLAT", "10^9/M"),
        ("PLAT", "10^-9/L"),
        ("PLAT", "10^99/L"),
        ("ALT", "mmol/L"),
        ("CREAT", "\ufffdmol/L"),
        ("CREAT", "?mol/L"),
        ("ALT", "furlong"),
        ("ALT", "U"),
        ("ALT", "x" * 100),
        (None, "G/L"),
    ],
)
def test_what_means_nothing_or_more_than_one_thing_is_not_read(test: str | None, text: str) -> None:
    """Grams of platelets, a thousand cells in a litre; and G/L, where nobody says whether it is a count or a mass."""
    assert read_unit(text, test) is None


@given(st.text(max_size=70), st.sampled_from([*sorted(analytes()), "FOO", None]))
def test_no_text_raises(text: str, test: str | None) -> None:
    """And what is found is a unit of the analyte."""
    found = read_unit(text, test)
    known = analytes().get(test) if test else None
    assert found is None or not found.ucum or known is None or known.measured_in(found.unit)


def test_a_question_names_the_unit_that_was_given() -> None:
    """It never says that none is, where one is."""
    (given_,) = grade_result("4.03", Assay("CREAT", "mcmmol/L", 40, 110), 900.0)
    (none,) = grade_result("4.03", Assay("K", None, 3.5, 5), 7.0)
    assert "unit mcmmol/L is not known" in (given_.question or "")
    assert "none is given" in (none.question or "")


@pytest.mark.parametrize(
    ("word", "specimen"),
    [
        ("Urine Chemistry", "urine"),
        ("URINALYSIS - DIPSTICK", "urine"),
        ("24H URINE", "urine"),
        ("Urines", "urine"),
        ("URINE_24H", "urine"),
        ("dip-stick", "urine"),
        ("U-chemistry", "urine"),
        ("VENOUS_BLOOD", "blood"),
        ("PLASMA_EDTA", "plasma"),
        ("CSF", "csf"),
        ("Cerebrospinal fluid", "csf"),
        ("SERUM OR PLASMA", "serum"),
        ("Serum specimen", "serum"),
        ("EDTA plasma", "plasma"),
        ("WHOLE BLOOD", "blood"),
        ("Sang veineux", "blood"),
        ("Bone marrow blood", "other"),
        ("STOOL", "other"),
        ("CHEMISTRY", None),
        ("HEMATOLOGY", None),
        ("ASPIRATE", None),
    ],
)
def test_a_specimen_in_words(word: str, specimen: str | None) -> None:
    """What is not known is not taken for blood."""
    assert specimen_named(word) == specimen
