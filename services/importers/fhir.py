"""FHIR R4 Bundles: each resource becomes a row with the columns of SDTM, so that all else is as with any other import.

The number of a row is its place in the bundle. A resource that is not valid FHIR, or that is none of those below, has a line in
the report. References are followed inside the bundle only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

from services.importers.columns import CausalityColumn, ExposureColumns, LaboratoryColumns, VisitColumns
from services.importers.fhir_rows import COLUMNS, DOMAINS, ENTERED_IN_ERROR, Bundle, Json, causality_column, row_of
from services.importers.mapping import Domain, Mapping
from services.importers.rows import DataSet, Defect, ImportFailedError, Row

SUFFIXES: Final = (".json",)

#: What stands beside the resources that are read and is needed to understand them.
_CONTEXT: Final = frozenset({"Patient", "Medication", "ResearchStudy", "Specimen"})


class _Contents(NamedTuple):
    bundle: Bundle
    defects: list[Defect]


def fhir_mapping(mapping: Mapping) -> Mapping:
    """The mapping with the columns that :mod:`services.importers.fhir_rows` writes; tests, units and codes stay."""
    causality = tuple(CausalityColumn(column=(causality_column(drug),), about=drug) for drug in mapping.study_drugs)
    both = (*causality, CausalityColumn(column=("AEREL",)))
    flags = {"expected": ("AEEXP",), "aware": ("AEAWDTC",), "causality": both, "id": (("AESPID",),)}
    return mapping.model_copy(
        update={
            "ex": ExposureColumns(id=(("EXSPID",),), update=("EXDTC",)),
            "sv": VisitColumns(id=(("SVSPID",),), update=("SVDTC",)),
            "ae": mapping.ae.model_copy(update=flags),
            "lb": LaboratoryColumns(
                id=(("LBSPID",),),
                update=("LBRPTDTC",),
                visit=(("VISITNUM",),),
                tests=mapping.lb.tests,
                units=mapping.lb.units,
            ),
        }
    )


def domains_of(path: Path) -> list[Domain]:
    """The domains of which the bundle has any resource. Raises :class:`ImportFailedError` where it is none."""
    kinds = {resource.get("resourceType") for _, resource in _contents(path).bundle.entries}
    return [domain for kind, domain in DOMAINS.items() if kind in kinds]


def open_bundle(path: Path, domain: Domain, mapping: Mapping, *, defects: bool) -> DataSet:
    """The resources of one domain as rows. ``defects``: tell of what cannot be read, once for the whole bundle."""
    contents = _contents(path)
    drugs = [causality_column(drug) for drug in mapping.study_drugs] if domain == "AE" else []
    columns = [name for name in COLUMNS[domain] if name != ENTERED_IN_ERROR]
    blank = dict.fromkeys([*columns, *drugs], "")

    def rows() -> Iterator[Row | Defect]:
        if defects:
            yield from contents.defects
        for number, resource in contents.bundle.entries:
            if DOMAINS.get(str(resource.get("resourceType"))) != domain:
                continue
            try:
                values = row_of(resource, contents.bundle, mapping)
            except ValueError as error:
                yield Defect(path.name, number, str(resource["resourceType"]), str(resource.get("id", "")), str(error))
                continue
            yield Row(path.name, number, {**blank, **values})

    return DataSet(path.name, domain, (*columns, *drugs), rows)


@lru_cache(maxsize=2)
def _contents(path: Path) -> _Contents:
    try:
        # Numbers stay as they are written: 5.0 is a result with one decimal.
        bundle: Any = json.loads(path.read_bytes(), parse_float=Decimal)
    except ValueError as error:
        raise ImportFailedError(f"{path.name}: not JSON: {error}") from None
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise ImportFailedError(f"{path.name}: not a FHIR Bundle")
    entries: list[tuple[int, Json]] = []
    defects: list[Defect] = []
    by_reference: dict[str, Json] = {}
    for number, entry in enumerate(bundle.get("entry") or [], start=1):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        complaint = _complaint(kind, resource)
        if complaint is not None or not isinstance(resource, dict):
            defects.append(Defect(path.name, number, str(kind or "entry"), "", complaint or "no resource"))
            continue
        entries.append((number, resource))
        for name in (entry.get("fullUrl"), f"{kind}/{resource.get('id')}"):
            if isinstance(name, str):
                by_reference[name] = resource
    return _Contents(Bundle(entries, by_reference), defects)


def _complaint(kind: object, resource: object) -> str | None:
    """Why a resource is not read; None where it is."""
    if kind not in DOMAINS and kind not in _CONTEXT:
        return "not a resource that is imported: not read"
    if kind not in DOMAINS:
        return None
    try:
        _models()[str(kind)](resource)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"not valid FHIR R4: {'.'.join(map(str, first['loc']))}: {first['msg']}"
    return None


@lru_cache(maxsize=1)
def _models() -> dict[str, Callable[[object], BaseModel]]:
    """The models of the resources, loaded when a bundle is read: they are many."""
    from fhir.resources.R4B.adverseevent import AdverseEvent
    from fhir.resources.R4B.encounter import Encounter
    from fhir.resources.R4B.medicationadministration import MedicationAdministration
    from fhir.resources.R4B.observation import Observation
    from fhir.resources.R4B.researchsubject import ResearchSubject

    found = (AdverseEvent, Encounter, MedicationAdministration, Observation, ResearchSubject)
    return {model.__name__: model.model_validate for model in found}
