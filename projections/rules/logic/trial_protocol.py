"""What a trial protocol consists of, as far as Toxwatch judges it: clauses, and the configuration they are judged with.

A protocol is one module that declares its clauses in the protocol's own words (``isi_jx`` is the first) and a
:class:`TrialProtocol` with its configuration. Nothing else in Toxwatch knows a trial.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Literal

from events.acceptance import INJECTION_PROCEDURE, STUDY_TREATMENT, TrialContract
from events.dates import DAY, FAR_PAST, Instant, Zone, parse_date, zone_named
from events.subject_pattern import SlowPattern, check_pattern
from projections.rules.logic.truth import Answer

Organ = str

WINDOW_DAYS_MAX: Final = 3660
#: Longer than any date of the contract is away: the window of a part that has none.
_UNENDING: Final = 1000 * 366 * DAY
_PART_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
#: ``part-unknown`` is the population of a subject whose part is not on record.
_NO_PART: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Predicate:
    """One question that a clause asks of an interval of an adverse event.

    ``ask`` takes the case and the interval (``rules/cases/predicates.py``); to declare a clause is to know neither.
    """

    label: str
    ask: Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class LaboratoryRule:
    """What laboratory results alone make of a clause: one draw at ``at_grade``, or a course at grade 3 that lasts so long."""

    at_grade: int
    longer_than_days: int | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of the protocol's definition of a dose-limiting toxicity.

    It holds when, on one and the same interval, the grade is ``at_grade`` or more and every predicate is yes. ``wording``
    is the protocol's, ``summary`` says the same in a few words, for messages. A clause with ``at_grade`` None is settled by
    adjudication alone. ``laboratory`` says when results that no adverse event accounts for may meet it; None: never.
    """

    id: str
    wording: str
    at_grade: int | None
    requires: tuple[Predicate, ...] = ()
    laboratory: LaboratoryRule | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the registry record leaves open and we had to choose: every [A] of the specification, with its default."""

    #: A missing grade and nothing that says serious: the alert is raised as routine, and delivered after so many hours by
    #: whoever delivers it.
    routine_delivery_delay_hours: int = 24
    #: On day 1, a toxicity or a first administration without a time counts as after it (treatment-emergent by convention).
    untimed_on_day_1_is_after_dose: bool = True
    #: An adverse event over for longer than this does not explain why treatment was stopped.
    stopping_lookback_days: int = 7
    #: Whether a subject with a possible or watched DLT clause stays pending although observed beyond the window.
    open_case_keeps_pending: bool = True
    #: Whether a subject who left early can be replaced only while nothing is open.
    replaceable_only_when_nothing_open: bool = True
    #: By how much longer than the clause asks a laboratory course may have lasted at most: a visit may come late.
    laboratory_slack_hours: int = 24


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a trial, and what it means: whether its subjects count for the dose levels, and its window.

    ``window``: the protocol's own, so many days of its own, or none: then whatever comes after the first administration
    is in it.
    """

    name: str
    counted: bool
    window: int | Literal["protocol", "none"] = "protocol"

    def __post_init__(self) -> None:
        if not _PART_NAME.fullmatch(self.name) or self.name.lower() == _NO_PART:
            raise ValueError(f"parts: {self.name!r} cannot name a part: use letters, digits, '.', '_' or '-'")
        if isinstance(self.window, int):
            _check_days(f"parts: {self.name}: window", self.window)
        elif self.window == "none" and self.counted:
            raise ValueError(
                f"parts: {self.name}: a part that counts needs a window, or no subject of it ever completes one"
            )


#: rules.md §3.8. What is neither major nor minor must be adjudicated.
MAJOR_ORGANS: Final[frozenset[Organ]] = frozenset(
    {
        "heart",
        "lung",
        "liver",
        "gastrointestinal",
        "kidney",
        "central-nervous-system",
        "peripheral-nervous-system",
        "blood",
        "pancreas",
    }
)
MINOR_ORGANS: Final[frozenset[Organ]] = frozenset({"skin", "thyroid", "joint"})


@dataclass(frozen=True, kw_only=True)
class TrialProtocol:
    """A trial's clauses and their configuration: the newest version, with the ones ``earlier``, which stay executable.

    ``window_days`` counts from day 1, the site-local date of the first administration of any of ``drugs``, inclusive.
    ``one_system`` lists groups of sources (patterns) that count as one writer of a record. Which version judges a subject
    is said in ``protocol_versions``; only the fields of :data:`VERSIONED` may differ between them.
    """

    name: str
    version: str
    trial: str
    title: str
    subject_pattern: str
    drugs: tuple[str, ...]
    time_zone: str
    clauses: tuple[Clause, ...]
    window_days: int
    #: By which the sites grade, and laboratory results are graded.
    ctcae_version: Literal["4.03", "5.0"] = "4.03"
    cohort_design: str = "3+3"
    #: In the protocol's order. A subject whose part is not on record is judged as one of the first that counts.
    parts: tuple[Part, ...]
    sponsor_sources: tuple[str, ...] = ("urn:sponsor:*",)
    #: ``attested``: the sponsor's system states who signed. ``own``: a party's signature counts from its own source alone.
    signatures: Literal["attested", "own"] = "attested"
    #: From which the committee signs, where a party signs from its own source; it is not the sponsor then.
    committee_sources: tuple[str, ...] = ()
    one_system: tuple[tuple[str, ...], ...] = ()
    #: Sources that these sites write from, and no others: a pattern that may end with ``*``, and its sites.
    shared_sources: tuple[tuple[str, frozenset[str]], ...] = ()
    #: Whose subjects are whose, where their ids do not say: a pattern of ids, and the site. The first that fits counts.
    subject_sites: tuple[tuple[str, str], ...] = ()
    major_organs: frozenset[Organ] = MAJOR_ORGANS
    minor_organs: frozenset[Organ] = MINOR_ORGANS
    assumptions: Assumptions = field(default_factory=Assumptions)
    #: The local day (``2017-06-01``, in the protocol's time zone) from which on this version is in force; None: from the first.
    effective: str | None = None
    #: ``enrolled``: subjects enrolled from that day on, or that name it. ``everyone``: all are judged by it anew.
    applies_to: Literal["enrolled", "everyone"] = "enrolled"
    #: The versions before this one, oldest first.
    earlier: tuple[TrialProtocol, ...] = ()

    def __post_init__(self) -> None:
        try:
            check_pattern(self.subject_pattern)
        except re.error as error:
            raise ValueError(f"subject_pattern: {self.subject_pattern!r} is not a pattern: {error}") from None
        except SlowPattern as error:
            raise ValueError(f"subject_pattern: {error}") from None
        zone_named(self.time_zone)
        _check_days("window_days", self.window_days)
        _check_parts(self.parts)
        if not self.drugs or len(set(self.drugs)) != len(self.drugs):
            raise ValueError("drugs: a protocol needs at least one study drug, each named once")
        reserved = {STUDY_TREATMENT, INJECTION_PROCEDURE} & set(self.drugs)
        if reserved:
            raise ValueError(f"drugs: {min(reserved)!r} is a word of the event contract and cannot name a drug")
        graded = [clause for clause in self.clauses if clause.at_grade is not None]
        if not graded or len(self.clauses) - len(graded) != 1:
            raise ValueError(
                "clauses: at least one with a grade, and exactly one that adjudication settles (at_grade None)"
            )
        if len({clause.id for clause in self.clauses}) != len(self.clauses):
            raise ValueError("clauses: two have the same id")
        _check_versions(self.versions)

    def amended(self, version: str, effective: str, **changes: Any) -> TrialProtocol:
        """The next version: what ``changes`` says, and all the rest as it was. The versions until now stay executable."""
        before = (*self.earlier, replace(self, earlier=()))
        given = {"applies_to": "enrolled", **changes, "version": version, "effective": effective}
        return replace(self, **given, earlier=before)

    @property
    def versions(self) -> tuple[TrialProtocol, ...]:
        """Every version, oldest first; this one is the newest."""
        return (*self.earlier, self)

    @property
    def for_everybody(self) -> TrialProtocol:
        """The same protocol with every subject judged by its newest version: what would be, were it everybody's."""
        return replace(self, applies_to="everyone")

    @cached_property
    def in_force_from(self) -> Instant:
        """The instant at which the version came into force: local midnight, in the protocol's time zone."""
        return FAR_PAST if self.effective is None else self.zone.resolve(parse_date(self.effective)).lo

    def version_named(self, name: str) -> TrialProtocol:
        """The version of that name; the newest where there is none (another protocol's alert may name it)."""
        return next((one for one in self.versions if one.version == name), self)

    @property
    def zone(self) -> Zone:
        """The time zone of a site that has not said otherwise."""
        return zone_named(self.time_zone)

    def site_of(self, subject: str) -> str | None:
        """The site that a subject's id names; None where the trial's ids name none."""
        match = re.fullmatch(self.subject_pattern, subject)
        return match["site"] if match is not None and "site" in match.re.groupindex else None

    @property
    def contract(self) -> TrialContract:
        """What an event must agree with to be one of this trial's."""
        drugs = frozenset(drug for one in self.versions for drug in one.drugs)
        parts = tuple(dict.fromkeys(part.name for one in self.versions for part in one.parts))
        return TrialContract(self.trial, self.subject_pattern, drugs, self.sponsor_sources, parts)

    @property
    def populations(self) -> list[str]:
        """Every population that an alert of this trial may be about (events.md)."""
        return [population_of(name) for name in (*(self.contract.parts or ()), None)]

    @property
    def presumed_part(self) -> Part:
        """The part in which a subject is judged whose own is not on record: the first that counts."""
        return next(part for part in self.parts if part.counted)

    def part_named(self, name: str | None) -> Part | None:
        """The part of that name; None where this version declares none."""
        return next((part for part in self.parts if part.name == name), None)

    def window_days_of(self, part: Part) -> int | None:
        """How many days the window of a part has; None: it has no end."""
        if part.window == "protocol":
            return self.window_days
        return None if part.window == "none" else part.window

    @property
    def adjudicated_clause(self) -> str:
        """The id of the clause that adjudication settles."""
        return next(clause.id for clause in self.clauses if clause.at_grade is None)

    @property
    def gravest_clause(self) -> str:
        """The clause that asks for the highest grade: what is life-threatening, or an unexplained stop, may meet it."""
        return max((c for c in self.clauses if c.at_grade is not None), key=lambda c: c.at_grade or 0).id

    def clause(self, clause_id: str) -> Clause:
        """The clause of that id."""
        return next(clause for clause in self.clauses if clause.id == clause_id)

    def is_sponsor(self, source: str) -> bool:
        """Whether ``source`` may sign for the sponsor or the committee."""
        return any(fnmatchcase(source, pattern) for pattern in self.sponsor_sources)

    def is_committee(self, source: str) -> bool:
        """Whether ``source`` is the committee's own."""
        return any(fnmatchcase(source, pattern) for pattern in self.committee_sources)

    def is_of_site(self, source: str, site: str) -> bool:
        """Whether ``source`` is one site's own: named after it, or given to it alone by the configuration."""
        if self.is_sponsor(source) or self.is_committee(source):
            return False
        given = (sites for pattern, sites in self.shared_sources if fnmatchcase(source, pattern))
        return source.startswith(f"urn:site:{site}:") or any(sites == {site} for sites in given)

    def counts_signature(self, party: str, source: str, site: str) -> bool:
        """Whether a signature for a party counts that ``source`` states about a subject of ``site`` (rules.md §3.9)."""
        if self.signatures == "attested":
            return party == "investigator" or self.is_sponsor(source)
        if party == "committee":
            return self.is_committee(source)
        if party == "sponsor":
            return self.is_sponsor(source) and not self.is_committee(source)
        return self.is_of_site(source, site)

    def site_of_subject(self, subject: str) -> str | None:
        """The site that the configuration gives a subject to; None where it says nothing."""
        return next((site for pattern, site in self.subject_sites if fnmatchcase(subject, pattern)), None)

    def same_system(self, a: str, b: str) -> bool:
        """Whether two sources may write the same record (rules.md §6)."""
        if a == b:
            return True
        return any(
            any(fnmatchcase(a, pattern) for pattern in group) and any(fnmatchcase(b, pattern) for pattern in group)
            for group in self.one_system
        )


#: What an amendment may change; the rest belongs to the trial.
VERSIONED: Final = frozenset(
    {
        "version",
        "title",
        "drugs",
        "clauses",
        "window_days",
        "ctcae_version",
        "cohort_design",
        "parts",
        "major_organs",
        "minor_organs",
        "assumptions",
        "effective",
        "applies_to",
        "earlier",
    }
)


def population_of(part: str | None) -> str:
    """How `assess` and alerts name a part; None where it is not on record."""
    return f"part-{(part or _NO_PART).lower()}"


def window_length(days: int | None) -> int:
    """The length of a window in microseconds of wall clock."""
    return _UNENDING if days is None else days * DAY


def _check_days(field_name: str, days: int) -> None:
    if days < 1:
        raise ValueError(f"{field_name}: {days} is not a number of days")
    if days > WINDOW_DAYS_MAX:
        raise ValueError(f"{field_name}: {days} is more than {WINDOW_DAYS_MAX}")


def _check_day(effective: str) -> None:
    try:
        is_day = parse_date(effective).precision == "day"
    except ValueError:
        is_day = False
    if not is_day:
        raise ValueError(f"effective: {effective!r} is not a day, such as 2017-06-01")


def _check_parts(parts: tuple[Part, ...]) -> None:
    if not any(part.counted for part in parts):
        raise ValueError("parts: at least one has to count, or no dose level has anybody in it")
    names = [part.name.lower() for part in parts]
    if len(set(names)) != len(names):
        raise ValueError("parts: two have the same name")


def _check_versions(versions: tuple[TrialProtocol, ...]) -> None:
    newest = versions[-1]
    if newest.effective is not None:
        _check_day(newest.effective)
    if newest.earlier and versions[0].effective is not None:
        raise ValueError(
            f"effective: {versions[0].version!r} is the first version, which is in force from the first day on"
        )
    for before, after in pairwise(versions):
        if after.effective is None:
            raise ValueError(f"effective: from which day on is version {after.version!r} in force?")
        if before.in_force_from >= after.in_force_from:
            raise ValueError(
                f"effective: version {after.version!r} is in force from no later day than {before.version!r}"
            )
    names = [one.version for one in versions]
    if len(set(names)) != len(names):
        raise ValueError("version: two versions have the same name")
    for name in sorted({one.name for one in fields(TrialProtocol)} - VERSIONED):
        if any(getattr(one, name) != getattr(newest, name) for one in versions):
            raise ValueError(f"{name}: belongs to the trial, and no amendment changes it")
