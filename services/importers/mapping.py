"""The mapping file: what a study calls its files, columns and code words, and how it is configured as a protocol."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from events.dates import zone_named
from events.envelope import SUBJECT_PATTERN
from events.errors import ToxwatchError
from events.faults import listed
from events.subject_pattern import check_pattern
from services.importers.code_lists import CodeLists, Word, normal
from services.importers.columns import (
    AdverseEventColumns,
    Columns,
    DemographicsColumns,
    DispositionColumns,
    ExposureColumns,
    LaboratoryColumns,
    MappingSection,
    SubjectColumns,
    TextFormat,
    VisitColumns,
)
from services.trials.protocols import ProtocolError, find_protocol

Domain = Literal["DM", "EX", "SV", "AE", "DS", "LB"]

BUNDLED: Final = Path(__file__).parent / "mappings"
#: Explains every key, and is no study.
EXAMPLE: Final = "example"
DRUG: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
RESERVED: Final = frozenset({"study-treatment", "injection-procedure"})


class MappingError(ToxwatchError):
    """The mapping file is missing, or says something that cannot be."""


def _zone(name: str) -> str:
    zone_named(name)
    return name


def _pattern(text: str) -> str:
    try:
        check_pattern(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


def _source(text: str) -> str:
    if "{site}" not in text:
        raise ValueError("needs {site}: two sites never share a source")
    return text


def _files(value: object) -> object:
    return (value,) if isinstance(value, str) else value


TimeZone = Annotated[str, AfterValidator(_zone)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Drug = Annotated[str, Field(pattern=DRUG)]


class Arm(MappingSection):
    """What an arm is in terms of the protocol. An arm that is no dose level has none."""

    part: str | None = None
    dose_level: Annotated[int, Field(ge=1)] | None = None


class Mapping(MappingSection):
    """One study. Every key is explained, with an example, in ``mappings/example.toml``."""

    name: str = "sdtm"
    title: str = ""
    #: The protocol whose clauses and parts the study is judged by: what `--protocol` takes.
    base: str = "isi-jx"
    trial: str | None = None
    study: str | None = None
    site: str | None = None
    time_zone: TimeZone | None = None
    time_zones: dict[str, TimeZone] = Field({})
    subject_pattern: Pattern = SUBJECT_PATTERN
    source: Annotated[str, AfterValidator(_source)] = "urn:site:{site}:import"
    revisions: Literal["counted", "update-time"] = "counted"
    drugs: dict[Word, Drug | Literal[""]] = Field({})
    placebo: tuple[Drug, ...] = ()
    arms: dict[Word, Arm] = Field({})
    files: dict[Domain, Annotated[tuple[str, ...], BeforeValidator(_files)]] = Field({})
    left_out: dict[Domain, Columns] = Field({})
    format: TextFormat = TextFormat()
    subject: SubjectColumns = SubjectColumns()
    dm: DemographicsColumns = DemographicsColumns()
    ex: ExposureColumns = ExposureColumns()
    sv: VisitColumns = VisitColumns()
    ae: AdverseEventColumns = AdverseEventColumns()
    ds: DispositionColumns = DispositionColumns()
    lb: LaboratoryColumns = LaboratoryColumns()
    codes: CodeLists = CodeLists()

    @property
    def study_drugs(self) -> tuple[str, ...]:
        """The drugs of the protocol, placebo included, each once and in the mapping's order."""
        return tuple(dict.fromkeys(drug for drug in self.drugs.values() if drug))

    @model_validator(mode="after")
    def _arms_are_of_the_protocol(self) -> Mapping:
        named = {arm: one.part for arm, one in self.arms.items() if one.part is not None}
        if not named:
            return self
        try:
            parts = find_protocol(self.base).contract.parts or ()
        except ProtocolError as error:
            raise ValueError(f"base: {error}") from None
        for arm, part in named.items():
            if part not in parts:
                raise ValueError(
                    f"arms.{arm}.part: {part!r} is not one of {listed(list(parts))}, the parts of {self.base}"
                )
        return self

    @model_validator(mode="after")
    def _agree(self) -> Mapping:
        known = {*self.study_drugs, *RESERVED}
        about = [(f"ae.causality.{i}.about", entry.about) for i, entry in enumerate(self.ae.causality)]
        about += [(f"ae.action.{i}.about", entry.about) for i, entry in enumerate(self.ae.action)]
        for key, name in about:
            if name not in known or (name == "injection-procedure" and key.startswith("ae.action")):
                raise ValueError(f"{key}: {name!r} is neither a drug of [drugs] nor study-treatment")
        for drug in self.placebo:
            if drug not in self.study_drugs:
                raise ValueError(f"placebo: {drug!r} is not a drug of [drugs]")
        if RESERVED & set(self.study_drugs):
            raise ValueError("drugs: study-treatment and injection-procedure are words of the contract, not drugs")
        return self


def bundled_names() -> list[str]:
    """The mappings that come with Toxwatch."""
    return sorted(path.stem for path in BUNDLED.glob("*.toml") if path.stem != EXAMPLE)


def load_mapping(name: str | None) -> Mapping:
    """The mapping of a path or of a bundled name; plain SDTM without either. Raises :class:`MappingError`."""
    if name is None:
        return Mapping()
    path = Path(name)
    if not path.is_file():
        path = BUNDLED / f"{name}.toml"
        if "/" in name or not path.is_file():
            raise MappingError(f"{name}: no such file, and no such bundled mapping ({', '.join(bundled_names())})")
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise MappingError(f"{path}: {error}") from error
    except ValidationError as error:
        raise MappingError(f"{path}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    details = error.errors(include_url=False)
    shown = [
        f"{'.'.join(str(part) for part in each['loc'])}: {each['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        for each in details[:5]
    ]
    return "; ".join(shown) + (f" (and {len(details) - 5} more)" if len(details) > 5 else "")


def arm_of(mapping: Mapping, word: str) -> Arm | None:
    """The arm that a study calls ``word``."""
    return mapping.arms.get(normal(word))
