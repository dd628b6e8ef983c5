"""What is measured: each analyte that CTCAE grades, by its CDISC test code, with what its units and LOINC codes may be.

``analytes.csv`` is the table. Molar masses are those of the formula (IUPAC atomic weights); haemoglobin's is that of the
monomer, in which laboratories report mmol/L, and triglycerides' that of triolein.
"""

from __future__ import annotations

import csv
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple

from projections.ctcae.units import ACTIVITY, ARBITRARY, EQUIVALENTS, Unit

#: Other codes for the same analyte; what a study calls it otherwise is for its mapping to say.
SYNONYMS: Final = {
    "ANC": "NEUT",
    "LYMPH": "LYM",
    "PLT": "PLAT",
    "NA": "SODIUM",
    "LIPASET": "LIPASE",
    "CD4LYM": "CD4",
}

#: LOINC codes that name something else than their short name suggests: what a result must not be taken for.
_OTHER_LOINC: Final = {
    "2161-8": "creatinine in urine",
    "2350-7": "glucose in urine",
    "5792-7": "glucose in urine",
    "5803-2": "pH of urine",
    "2756-5": "pH of urine",
    "2955-3": "sodium in urine",
    "2828-2": "potassium in urine",
    "1754-1": "albumin in urine",
    "14957-5": "albumin in urine",
    "17862-4": "calcium in urine",
    "6874-2": "calcium in urine",
    "19124-7": "magnesium in urine",
    "2778-9": "phosphate in urine",
    "3086-6": "urate in urine",
    "1799-6": "amylase in urine",
    "5821-4": "leukocytes in urine",
    "2342-4": "glucose in cerebrospinal fluid",
    "1968-7": "direct bilirubin",
    "14629-0": "direct bilirubin",
    "1971-1": "indirect bilirubin",
    "14630-8": "indirect bilirubin",
    "770-8": "neutrophils as a share of leukocytes",
    "26511-6": "neutrophils as a share of leukocytes",
    "26478-8": "lymphocytes as a share of leukocytes",
    "736-9": "lymphocytes as a share of leukocytes",
    "713-8": "eosinophils as a share of leukocytes",
    "789-8": "erythrocytes",
    "4544-3": "haematocrit",
    "3094-0": "urea nitrogen",
    "2075-0": "chloride",
}


class Analyte(NamedTuple):
    """One analyte: the dimensions that its units may have, and what converts between them."""

    test: str
    name: str
    dimensions: frozenset[str]
    g_per_mol: Fraction | None
    equivalents: int | None
    loinc: frozenset[str]

    def measured_in(self, unit: Unit) -> bool:
        """Whether results of it are reported in such a unit."""
        if unit.dimension == EQUIVALENTS:
            return self.equivalents is not None
        if unit.dimension in (ACTIVITY, ARBITRARY):
            return not self.dimensions.isdisjoint((ACTIVITY, ARBITRARY))
        return unit.dimension in self.dimensions


def analyte(test: str) -> str:
    """The LBTESTCD of a test code."""
    return SYNONYMS.get(test, test)


@lru_cache(maxsize=1)
def ungraded() -> frozenset[str]:
    """CDISC codes of tests that no CTCAE criterion is about. Any other code is unknown, and asked about."""
    text = resources.files(__package__).joinpath("ungraded.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


@lru_cache(maxsize=1)
def analytes() -> dict[str, Analyte]:
    """Every analyte of the table, by its code."""
    text = resources.files(__package__).joinpath("analytes.csv").read_text(encoding="utf-8")
    return {
        row["test"]: Analyte(
            row["test"],
            row["name"],
            frozenset(row["dimensions"].split()),
            Fraction(row["g_per_mol"]) if row["g_per_mol"] else None,
            int(row["equivalents"]) if row["equivalents"] else None,
            frozenset(row["loinc"].split()),
        )
        for row in csv.DictReader(text.splitlines())
    }


def named_by_loinc(loinc: str) -> str | None:
    """The test code, or else a description, that a LOINC code stands for; None where the code is not known here."""
    return _by_loinc().get(loinc)


@lru_cache(maxsize=1)
def _by_loinc() -> dict[str, str]:
    found = dict(_OTHER_LOINC)
    for known in analytes().values():
        found.update(dict.fromkeys(known.loinc, known.test))
    return found
