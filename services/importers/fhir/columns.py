"""The columns of the rows that FHIR becomes, and the mapping that reads them."""

from __future__ import annotations

from typing import Final, get_args

from events.adverse_event import CausalityWord
from services.importers.code_lists import normal
from services.importers.columns import (
    AdverseEventColumns,
    CausalityColumn,
    DemographicsColumns,
    DispositionColumns,
    ExposureColumns,
    LaboratoryColumns,
    SubjectColumns,
    VisitColumns,
)
from services.importers.fhir import causality
from services.importers.fhir.adverse_events import CRITERIA
from services.importers.mapping import Domain, Mapping

_WHO: Final = ("USUBJID", "SITEID", "STUDYID")
_BY_DOMAIN: Final[dict[Domain, tuple[str, ...]]] = {
    "DM": ("RFICDTC", "DMDTC", "ARMCD", "SEX", "BRTHDTC"),
    "DS": ("DSCAT", "DSSCAT", "DSDECOD", "DSSTDTC", "DSDTC"),
    "EX": ("EXSPID", "EXTRT", "EXSTDTC", "EXENDTC", "EXDOSE", "EXDOSU", "EXSTAT", "EXDTC"),
    "SV": ("SVSPID", "VISIT", "SVSTDTC", "SVENDTC", "SVOCCUR", "SVDTC"),
    "AE": (
        *("AESPID", "AETERM", "AEDECOD", "AEPTCD", "AETOXGR", "AESEV", "AESTDTC", "AEENDTC", "AEOUT", "AESER", "AEDTC"),
        *CRITERIA,
        *("AEEXP", "AEAWDTC"),
    ),
    "LB": (
        *("LBSPID", "LBTESTCD", "LBLOINC", "LBORRES", "LBORRESU", "LBORNRLO", "LBORNRHI"),
        *("LBDTC", "LBSPEC", "LBSTAT", "VISITNUM", "LBRPTDTC"),
    ),
}


def columns_of(domain: Domain, mapping: Mapping) -> list[str]:
    """The columns of a domain's rows."""
    drugs = [*causality.columns(mapping.study_drugs)] if domain == "AE" else []
    return [*_WHO, *_BY_DOMAIN[domain], *drugs]


def fhir_mapping(mapping: Mapping) -> Mapping:
    """The mapping with these columns; what a study calls its drugs, arms, tests, units and code words stays."""
    answers = tuple(
        CausalityColumn(column=(column,), about=about)
        for column, about in causality.columns(mapping.study_drugs).items()
    )
    words = {normal(word): word for word in get_args(CausalityWord)}
    codes = mapping.codes.model_copy(
        update={
            "causality": {**mapping.codes.causality, **words},
            "specimen": {"OTHER FLUID": "other", **mapping.codes.specimen},
        }
    )
    ae = AdverseEventColumns(
        id=(("AESPID",),),
        expected=("AEEXP",),
        aware=("AEAWDTC",),
        causality=answers,
        term_language=mapping.ae.term_language,
        meddra_version=mapping.ae.meddra_version,
    )
    return mapping.model_copy(
        update={
            "codes": codes,
            "subject": SubjectColumns(),
            "dm": DemographicsColumns(),
            "ds": DispositionColumns(),
            "ex": ExposureColumns(id=(("EXSPID",),), update=("EXDTC",)),
            "sv": VisitColumns(id=(("SVSPID",),), update=("SVDTC",)),
            "ae": ae,
            "lb": LaboratoryColumns(
                id=(("LBSPID",),),
                update=("LBRPTDTC",),
                visit=(("VISITNUM",),),
                tests=mapping.lb.tests,
                units=mapping.lb.units,
            ),
        }
    )
