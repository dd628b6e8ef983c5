"""What a trial protocol consists of, as far as Toxwatch judges it: clauses, and the configuration they are judged with.

A protocol is one module that declares its clauses in the protocol's own words (``isi_jx`` is the first) and a
:class:`TrialProtocol` with its configuration. Nothing else in Toxwatch knows a trial.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Literal

from events.acceptance import INJECTION_PROCEDURE, STUDY_TREATMENT, TrialContract
from events.dates import DAY, Zone, zone_named
from events.subject_pattern import SlowPattern, check_pattern
from projections.rules.logic.truth import Answer

Organ = str

PARTS: Final = ("A", "B")
WINDOW_DAYS_MAX: Final = 3660


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
    """A trial's clauses and their configuration.

    ``window_days`` counts from day 1, the site-local date of the first administration of any of ``drugs``, inclusive.
    ``one_system`` lists groups of sources (patterns) that count as one writer of a record.
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
    counted_part: str = "A"
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

    def __post_init__(self) -> None:
        try:
            check_pattern(self.subject_pattern)
        except re.error as error:
            raise ValueError(f"subject_pattern: {self.subject_pattern!r} is not a pattern: {error}") from None
        except SlowPattern as error:
            raise ValueError(f"subject_pattern: {error}") from None
        zone_named(self.time_zone)
        if self.window_days < 1:
            raise ValueError(f"window_days: {self.window_days} is not a number of days")
        if self.window_days > WINDOW_DAYS_MAX:
            raise ValueError(f"window_days: {self.window_days} is more than {WINDOW_DAYS_MAX}")
        if self.counted_part not in PARTS:
            raise ValueError(f"counted_part: {self.counted_part!r} is not one of {list(PARTS)}")
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
        return TrialContract(self.trial, self.subject_pattern, frozenset(self.drugs), self.sponsor_sources)

    @property
    def window(self) -> int:
        """The window's length in microseconds of wall clock."""
        return self.window_days * DAY

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
