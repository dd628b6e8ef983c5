"""Every version of one record, and which one is in effect.

The highest revision replaces the others; under one revision the later ``time`` wins, ties by the greater id (RULES 6). A
retraction is a version like any other. What arrives in which order does not matter.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, NamedTuple

from events.dates import Instant
from projections.rules.truth import EventRef


class Version(NamedTuple):
    """One event as a version of its record, ordered by what makes it effective. ``event`` is never compared."""

    revision: int
    time: Instant
    id: str
    source: str
    retracts: bool
    event: Any

    @property
    def order(self) -> tuple[int, Instant, str, str]:
        """What decides between two versions."""
        return self[:4]

    @property
    def reference(self) -> EventRef:
        """The event, as evidence."""
        return EventRef(self.source, self.id)


class RecordHistory:
    """The versions of one record by ascending order; the last is in effect."""

    __slots__ = ("versions",)

    def __init__(self) -> None:
        self.versions: list[Version] = []

    def add(self, version: Version) -> bool:
        """Take a version in. False if it was known already."""
        versions = self.versions
        if not versions or versions[-1][:4] < version[:4]:
            versions.append(version)
            return True
        at = bisect_left(versions, version[:4], key=_order)
        if at < len(versions) and versions[at][:4] == version[:4]:
            return False
        versions.insert(at, version)
        return True

    @property
    def effective(self) -> Version | None:
        """The version in effect, None where the record is retracted or empty."""
        if not self.versions or self.versions[-1].retracts:
            return None
        return self.versions[-1]

    @property
    def retracted(self) -> bool:
        """Whether the record was entered in error, and not reported anew since."""
        return bool(self.versions) and self.versions[-1].retracts

    def conflicting_revisions(self) -> list[int]:
        """Revisions under which more than one version came: a data query each."""
        revisions = [version.revision for version in self.versions]
        return sorted({revision for revision in revisions if revisions.count(revision) > 1})

    def ignored_retractions(self) -> list[Version]:
        """Retractions of a revision lower than the record's: ignored, with a query."""
        if self.retracted or not self.versions:
            return []
        reported = [version.revision for version in self.versions if not version.retracts]
        earliest = min(reported, default=0)
        return [v for v in self.versions if v.retracts and v.revision < earliest]


def _order(version: Version) -> tuple[int, Instant, str, str]:
    return version.order
