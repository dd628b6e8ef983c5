"""Which test an Observation is of: by its LOINC code, a laboratory's code, or its name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from projections.ctcae.analytes import analyte, analytes, named_by_loinc
from services.importers.consumed import Element
from services.importers.fhir.elements import Word, read_word, squeezed, words_of
from services.importers.mapping import Mapping

_LOINC_OID: Final = "2.16.840.1.113883.6.1"
_LOINC_CODE: Final = re.compile(r"\d{1,5}-\d", re.ASCII)
#: Names that laboratories use beside the analytes' own.
_NAMES: Final = {
    name: test
    for test, names in {
        "HGB": "hemoglobin hemoglobine",
        "PLAT": "platelet platelets plateletcount plateletscount thrombocytes plaquettes",
        "NEUT": "neutrophil absoluteneutrophilcount neutrophilcount polynucleairesneutrophiles",
        "WBC": "leucocytes whitebloodcells whitebloodcellcount",
        "LYM": "lymphocytecount absolutelymphocytecount",
        "CREAT": "creatinine",
        "BILI": "totalbilirubin bilirubintotal bilirubinetotale",
        "ALT": "sgpt alat alaninetransaminase",
        "AST": "sgot asat aspartatetransaminase",
        "ALP": "alkalinephosphatase",
        "GGT": "ggt gammaglutamyltransferase gammagt",
        "CK": "creatinekinase cpk",
    }.items()
    for name in names.split()
}


class Test(NamedTuple):
    """The test's name as the mapping or CDISC has it, its LOINC code, and whether its words name more than one test."""

    name: str
    loinc: str
    known: bool
    several: tuple[str, ...] = ()


def test_of(code: Element, mapping: Mapping) -> Test:
    """Every coding is tried, then the text, then the displays; what is not known keeps the name that people read."""
    words = words_of(code)
    loincs = [word.text for word in words if word.is_code and _is_loinc(word)]
    mapped = next((word.text for word in words if word.text in mapping.lb.tests), "")
    by_loinc = [named for loinc in loincs if (named := named_by_loinc(loinc))]
    given = [analyte(word.text.upper()) for word in words if word.is_code and analyte(word.text.upper()) in analytes()]
    by_name = [named for word in words if not word.is_code and (named := _named(word.text))]
    tests = list(dict.fromkeys([*given, *(each for each in by_loinc if each in analytes())])) or list(
        dict.fromkeys(by_name)
    )
    # What the LOINC code names decides the code that is written beside another: so that the two are asked about.
    other = next((loinc for loinc in loincs if tests and named_by_loinc(loinc) not in (None, tests[0])), "")
    loinc = other or next((each for each in loincs if named_by_loinc(each)), "") or next(iter(loincs), "")
    several = tuple(tests) if len(tests) > 1 else ()
    return Test(mapped or next(iter(tests), "") or read_word(code), loinc, bool(mapped or tests), several)


def _is_loinc(word: Word) -> bool:
    system = word.system.lower().rstrip("/")
    if "loinc" in system or system in ("ln", "lnc") or system.removeprefix("urn:oid:") == _LOINC_OID:
        return True
    return not system and _LOINC_CODE.fullmatch(word.text) is not None and named_by_loinc(word.text) is not None


def _named(text: str) -> str | None:
    return _names().get(squeezed(text))


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {**{squeezed(each.name): each.test for each in analytes().values()}, **_NAMES}
