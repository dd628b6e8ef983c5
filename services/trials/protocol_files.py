"""A study's own configuration of a protocol, and its amendments, as a TOML or JSON file.

Settings at the top hold for every version of the base. Each ``[[amendment]]`` is the version after the one before it.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from projections.rules.logic.trial_protocol import Assumptions, Part, TrialProtocol

#: What belongs to the newest version alone; the other settings at the top hold for every version of the base.
_OF_THE_NEWEST: Final = ("version", "title")


class Section(BaseModel):
    """A table of the file: nothing unknown is allowed in it, so that a misspelt key is found."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AssumptionsFile(Section):
    """What the record leaves open; see :class:`projections.rules.logic.trial_protocol.Assumptions`."""

    routine_delivery_delay_hours: int | None = Field(None, ge=0)
    untimed_on_day_1_is_after_dose: bool | None = None
    stopping_lookback_days: int | None = Field(None, ge=0)
    open_case_keeps_pending: bool | None = None
    replaceable_only_when_nothing_open: bool | None = None
    laboratory_slack_hours: int | None = Field(None, ge=0)

    def over(self, base: Assumptions) -> Assumptions:
        """What is given, and the rest as ``base`` has it."""
        return replace(base, **self.model_dump(exclude_none=True))


class PartFile(Section):
    """One part of the trial; see :class:`projections.rules.logic.trial_protocol.Part`."""

    name: str
    counted: bool
    window: int | Literal["protocol", "none"] = "protocol"


class Versioned(Section):
    """What an amendment may change. What is not given is as before."""

    version: str | None = None
    title: str | None = None
    drugs: list[str] | None = None
    window_days: int | None = None
    ctcae_version: Literal["4.03", "5.0"] | None = None
    cohort_design: str | None = None
    part: list[PartFile] | None = None
    assumptions: AssumptionsFile | None = None


def _day(value: object) -> object:
    """TOML has dates of its own."""
    return value.isoformat() if type(value) is date else value


class AmendmentFile(Versioned):
    """One amendment: a version and the local day from which on it is in force.

    ``clauses_of`` names another protocol (a module, say) whose clauses and organs hold from then on.
    """

    version: str
    effective: Annotated[str, BeforeValidator(_day)]
    applies_to: Literal["enrolled", "everyone"] = "enrolled"
    clauses_of: str | None = None


class ProtocolFile(Versioned):
    """A study's own configuration under the clauses of ``base``. What is not given is as the base has it."""

    base: str
    name: str | None = None
    trial: str | None = None
    subject_pattern: str | None = None
    time_zone: str | None = None
    counted_part: str | None = None
    sponsor_sources: list[str] | None = None
    signatures: Literal["attested", "own"] | None = None
    committee_sources: list[str] | None = None
    one_system: list[list[str]] | None = None
    shared_sources: dict[str, list[str]] | None = None
    subject_sites: dict[str, str] | None = None
    amendment: list[AmendmentFile] = []


def read_protocol_file(path: Path) -> ProtocolFile:
    """The file as it is written. Raises :class:`ValueError` with a sentence for every fault."""
    text = path.read_text(encoding="utf-8")
    values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    try:
        return ProtocolFile.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ValueError(faults) from None


def configured(base: TrialProtocol, file: ProtocolFile) -> TrialProtocol:
    """The base, in every version that it has, with what the file gives at its top."""
    given: dict[str, Any] = file.model_dump(
        exclude_none=True, exclude={"base", "assumptions", "part", "counted_part", "amendment"}
    )
    for name in ("drugs", "sponsor_sources", "committee_sources"):
        if name in given:
            given[name] = tuple(given[name])
    if "one_system" in given:
        given["one_system"] = tuple(tuple(group) for group in given["one_system"])
    if file.shared_sources is not None:
        given["shared_sources"] = tuple((name, frozenset(sites)) for name, sites in file.shared_sources.items())
    if file.subject_sites is not None:
        given["subject_sites"] = tuple(file.subject_sites.items())
    newest = {name: given.pop(name) for name in _OF_THE_NEWEST if name in given}
    earlier = tuple(replace(one, **given, **_changes(one, file)) for one in base.earlier)
    return replace(base, **given, **newest, **_changes(base, file), earlier=earlier)


def amended(protocol: TrialProtocol, file: AmendmentFile, clauses_of: TrialProtocol | None) -> TrialProtocol:
    """The protocol with one version more; ``clauses_of`` is the protocol whose clauses and organs that has."""
    given: dict[str, Any] = file.model_dump(exclude_none=True, exclude={"assumptions", "part", "clauses_of"})
    if "drugs" in given:
        given["drugs"] = tuple(given["drugs"])
    if clauses_of is not None:
        given |= {name: getattr(clauses_of, name) for name in ("clauses", "major_organs", "minor_organs")}
    return protocol.amended(**given, **_changes(protocol, file))


def _changes(base: TrialProtocol, file: Versioned) -> dict[str, Any]:
    """The parts and the assumptions that a version has by a file."""
    given: dict[str, Any] = {}
    if file.assumptions is not None:
        given["assumptions"] = file.assumptions.over(base.assumptions)
    if file.part is not None:
        given["parts"] = tuple(Part(one.name, one.counted, one.window) for one in file.part)
    if isinstance(file, ProtocolFile) and file.counted_part is not None:
        given["parts"] = _only_counted(given.get("parts", base.parts), file.counted_part)
    return given


def _only_counted(parts: tuple[Part, ...], name: str) -> tuple[Part, ...]:
    """The parts, of which the named one alone counts."""
    names = [part.name for part in parts]
    if name not in names:
        raise ValueError(f"counted_part: {name!r} is not one of {names}")
    return tuple(replace(part, counted=part.name == name) for part in parts)
