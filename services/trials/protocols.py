"""Finding the protocol that ``--protocol`` names: one that comes with Toxwatch, a module, or a configuration file.

A configuration file (TOML or JSON) takes the clauses of a protocol and replaces its configuration:
``base = "isi-jx"`` and any of the fields below. A module is Python that declares ``PROTOCOL``.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from events.errors import ToxwatchError
from projections.protocols.isi_jx import PROTOCOL as ISI_JX
from projections.rules.escalation.cohort_designs import DESIGNS
from projections.rules.logic.trial_protocol import TrialProtocol

BUNDLED: Final = {ISI_JX.name: ISI_JX}
CONFIGURATION: Final = (".json", ".toml")


class ProtocolError(ToxwatchError):
    """There is no such protocol, or its configuration is not valid."""


class AssumptionsFile(BaseModel):
    """What the record leaves open; see :class:`projections.rules.logic.trial_protocol.Assumptions`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    routine_delivery_delay_hours: int | None = Field(None, ge=0)
    untimed_on_day_1_is_after_dose: bool | None = None
    stopping_lookback_days: int | None = Field(None, ge=0)
    open_case_keeps_pending: bool | None = None
    replaceable_only_when_nothing_open: bool | None = None
    laboratory_slack_hours: int | None = Field(None, ge=0)


class ProtocolFile(BaseModel):
    """A study's own configuration under the clauses of ``base``. What is not given is as the base has it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    base: str
    name: str | None = None
    version: str | None = None
    title: str | None = None
    trial: str | None = None
    subject_pattern: str | None = None
    drugs: list[str] | None = None
    time_zone: str | None = None
    window_days: int | None = None
    ctcae_version: Literal["4.03", "5.0"] | None = None
    cohort_design: str | None = None
    counted_part: Literal["A", "B"] | None = None
    sponsor_sources: list[str] | None = None
    signatures: Literal["attested", "own"] | None = None
    committee_sources: list[str] | None = None
    one_system: list[list[str]] | None = None
    shared_sources: dict[str, list[str]] | None = None
    subject_sites: dict[str, str] | None = None
    assumptions: AssumptionsFile | None = None

    def protocol(self, through: tuple[str, ...]) -> TrialProtocol:
        """The base protocol with this configuration. ``through`` are the files that led here."""
        given: dict[str, Any] = self.model_dump(exclude_none=True, exclude={"base", "assumptions"})
        for name in ("drugs", "sponsor_sources", "committee_sources"):
            if name in given:
                given[name] = tuple(given[name])
        if "one_system" in given:
            given["one_system"] = tuple(tuple(group) for group in given["one_system"])
        if self.shared_sources is not None:
            given["shared_sources"] = tuple((name, frozenset(sites)) for name, sites in self.shared_sources.items())
        if self.subject_sites is not None:
            given["subject_sites"] = tuple(self.subject_sites.items())
        base = find_protocol(_beside(self.base, through), through)
        if self.assumptions is not None:
            given["assumptions"] = replace(base.assumptions, **self.assumptions.model_dump(exclude_none=True))
        return replace(base, **given)


def find_protocol(named: str, through: tuple[str, ...] = ()) -> TrialProtocol:
    """The protocol that ``named`` means. Raises :class:`ProtocolError` with a sentence.

    ``through`` are the configuration files that stand on it.
    """
    bundled = BUNDLED.get(named)
    if bundled is not None:
        return bundled
    path = Path(named)
    try:
        if path.suffix in CONFIGURATION:
            if named in through:
                raise ValueError("base: the configuration stands on itself")
            protocol = _read(path).protocol((*through, named))
        elif path.suffix == ".py":
            protocol = _declared(path)
        else:
            protocol = _imported(named)
        if protocol.cohort_design not in DESIGNS:
            raise ValueError(f"cohort_design: {protocol.cohort_design!r} is not one of {list(DESIGNS)}")
    except (OSError, ValueError, SyntaxError, ImportError) as error:
        raise ProtocolError(f"protocol {named!r}: {error}") from error
    return protocol


def _beside(base: str, through: tuple[str, ...]) -> str:
    """What ``base`` names: a file beside the configuration that stands on it, where there is one."""
    beside = Path(through[-1]).parent / base
    return str(beside) if base not in BUNDLED and beside.is_file() else base


def _read(path: Path) -> ProtocolFile:
    text = path.read_text(encoding="utf-8")
    values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    try:
        return ProtocolFile.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ValueError(faults) from None


def _declared(path: Path) -> TrialProtocol:
    spec = importlib.util.spec_from_file_location(f"protocol_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return _protocol_of(module, str(path))


def _imported(named: str) -> TrialProtocol:
    if (
        not all(part.isidentifier() for part in named.split("."))
        or importlib.util.find_spec(named.split(".")[0]) is None
    ):
        raise ValueError(f"neither one of ours ({', '.join(sorted(BUNDLED))}), nor a file, nor a module")
    return _protocol_of(importlib.import_module(named), named)


def _protocol_of(module: object, named: str) -> TrialProtocol:
    protocol = getattr(module, "PROTOCOL", None)
    if not isinstance(protocol, TrialProtocol):
        raise ValueError(f"{named} declares no PROTOCOL")
    return protocol
