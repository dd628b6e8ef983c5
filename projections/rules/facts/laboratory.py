"""Every laboratory result of one subject, by analyte and in order, with the grades that its baselines and albumins give it.

Nothing is graded before it is asked for, and then once: a log of a million results is graded when it is assessed. After that
a new result is graded as it comes, and only what it changes is graded again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import NamedTuple

from events.dates import Instant, PartialDate
from projections.ctcae.grader import Context, grader
from projections.ctcae.grading import SEVERE, LabGrade, grade_result
from projections.ctcae.table import Direction
from projections.rules.facts.lab_results import ALBUMIN, CALCIUM, Draw, baseline_for, correction_for

Sample = tuple[PartialDate, str]
Place = tuple[Instant, Instant, str]


class Bounds(NamedTuple):
    """The lowest and highest grade of one draw in one direction."""

    direction: Direction
    low: int
    high: int


class AnalyteDraws:
    """The results of one analyte. ``grade`` gives the bounds of a draw as things stand."""

    def __init__(self, grade: Callable[[Draw], tuple[Bounds, ...]]) -> None:
        self.by_id: dict[str, Draw] = {}
        self._grade = grade
        self._places: list[Place] | None = None
        self._severe: dict[str, tuple[Bounds, ...]] | None = None
        self._certain: set[str] = set()
        self._abnormal: set[str] = set()
        self._elevated: set[str] | None = None

    def put(self, draw: Draw) -> None:
        """Take in a result, or another version of one."""
        self.drop(draw.lab_id)
        self.by_id[draw.lab_id] = draw
        if self._places is not None:
            insort(self._places, _place(draw))
        if self._elevated is not None and _may_be_elevated(draw):
            self._elevated.add(draw.lab_id)
        self.grade_again(draw)

    def drop(self, lab_id: str) -> None:
        """Forget a result, if it was known."""
        draw = self.by_id.pop(lab_id, None)
        if draw is None:
            return
        if self._places is not None:
            del self._places[bisect_left(self._places, _place(draw))]
        if self._elevated is not None:
            self._elevated.discard(lab_id)
        if self._severe is not None:
            self._forget(lab_id, self._severe)

    def grade_again(self, draw: Draw | None = None) -> None:
        """What one result is graded by has changed, or what all of them are."""
        if draw is None:
            self._severe = None
        elif self._severe is not None:
            self._forget(draw.lab_id, self._severe)
            self._find(draw, self._severe)

    @property
    def severe(self) -> dict[str, tuple[Bounds, ...]]:
        """The bounds of those that are, or may be, at grade 3 or higher, by id."""
        if self._severe is None:
            self._severe = {}
            self._certain.clear()
            self._abnormal.clear()
            for draw in self.by_id.values():
                self._find(draw, self._severe)
        return self._severe

    @property
    def certain(self) -> list[Draw]:
        """Those that are certainly at grade 3 or higher, in order."""
        _ = self.severe
        return sorted((self.by_id[lab_id] for lab_id in self._certain), key=_place)

    @property
    def abnormal(self) -> list[Draw]:
        """Those that are, or may be, at grade 1 or higher, or that cannot be graded, in order."""
        _ = self.severe
        return sorted((self.by_id[lab_id] for lab_id in self._abnormal), key=_place)

    @property
    def elevated(self) -> list[Draw]:
        """Those that may be as high as Hy's law asks, in order."""
        if self._elevated is None:
            self._elevated = {draw.lab_id for draw in self.by_id.values() if _may_be_elevated(draw)}
        return sorted((self.by_id[lab_id] for lab_id in self._elevated), key=_place)

    @property
    def places(self) -> list[Place]:
        """When each result was collected, in order: earliest and latest instant, and id."""
        if self._places is None:
            self._places = sorted(_place(draw) for draw in self.by_id.values())
        return self._places

    def bounds(self, draw: Draw) -> tuple[Bounds, ...]:
        """The grades of a draw; empty where it cannot be graded."""
        return self.severe.get(draw.lab_id) or self._grade(draw)

    def _find(self, draw: Draw, severe: dict[str, tuple[Bounds, ...]]) -> None:
        kind, value = draw.result.kind, draw.result.value
        above, below = kind.normal
        if value is not None and kind.usable and not kind.needs_context and above < value < below:
            return
        bounds = self._grade(draw)
        worst = max((bound.high for bound in bounds), default=None)
        if worst is None or worst > 0:
            self._abnormal.add(draw.lab_id)
        if worst is not None and worst >= SEVERE:
            severe[draw.lab_id] = bounds
            if any(bound.low >= SEVERE for bound in bounds):
                self._certain.add(draw.lab_id)

    def _forget(self, lab_id: str, severe: dict[str, tuple[Bounds, ...]]) -> None:
        severe.pop(lab_id, None)
        self._certain.discard(lab_id)
        self._abnormal.discard(lab_id)

    def after(self, place: Place) -> Iterator[Draw]:
        """The results that come after a place, in order."""
        places = self.places
        for at in range(bisect_left(places, place), len(places)):
            if places[at] > place:
                yield self.by_id[places[at][2]]

    def between(self, lo: Instant, hi: Instant) -> Iterator[Draw]:
        """The results that begin from one instant up to another, in order."""
        places = self.places
        for at in range(bisect_left(places, (lo,)), len(places)):
            if places[at][0] > hi:
                return
            yield self.by_id[places[at][2]]


class Laboratory:
    """All analytes of a subject. ``before_treatment`` says whether a draw may be a baseline."""

    def __init__(self, version: str, before_treatment: Callable[[Draw], bool]) -> None:
        self._version = version
        self._before_treatment = before_treatment
        self.analytes: dict[str, AnalyteDraws] = {}
        self._baselines: dict[str, Draw | None] = {}
        self._albumins: dict[Sample, dict[str, Draw]] = {}
        self._calciums: dict[Sample, set[str]] = {}

    def put(self, draw: Draw) -> None:
        """Take in a result, or another version of one of the same analyte."""
        test = draw.result.kind.test
        draws = self.analytes.get(test)
        if draws is None:
            draws = self.analytes[test] = AnalyteDraws(self._bounds)
        self._changed(draws, draws.by_id.get(draw.lab_id), draw)
        draws.put(draw)
        if test == ALBUMIN:
            self._correct_again(draw)

    def drop(self, draw: Draw) -> None:
        """Forget a result."""
        draws = self.analytes[draw.result.kind.test]
        self._changed(draws, draw, None)
        draws.drop(draw.lab_id)
        if draw.result.kind.test == ALBUMIN:
            self._correct_again(draw)
        if not draws.by_id:
            del self.analytes[draw.result.kind.test]

    def clear(self) -> None:
        """Forget everything."""
        for kept in (self.analytes, self._baselines, self._albumins, self._calciums):
            kept.clear()

    def treatment_changed(self) -> None:
        """What comes before the first administration is no longer the same."""
        self._baselines.clear()
        for draws in self.analytes.values():
            if any(draw.result.kind.needs_baseline for draw in draws.by_id.values()):
                draws.grade_again()

    def baseline(self, test: str) -> Draw | None:
        """The last value before the first administration, whatever its grade; None where there is none."""
        if test not in self._baselines:
            draws = self.analytes.get(test)
            candidates = [
                draw for draw in (draws.by_id.values() if draws else ()) if draw.usable and self._before_treatment(draw)
            ]
            self._baselines[test] = max(candidates, key=_latest, default=None)
        return self._baselines[test]

    def grades(self, draw: Draw) -> tuple[LabGrade, ...]:
        """The grades of a draw with their reasons."""
        return grade_result(self._version, draw.result.kind.assay, draw.result.value, self.context(draw))

    def context(self, draw: Draw) -> Context:
        """What the draw is graded by beside itself."""
        kind = draw.result.kind
        baseline = correction = None
        earlier = kind.needs_baseline and self._before_treatment(draw)
        if kind.needs_baseline and not earlier:
            before = self.baseline(kind.test)
            if before is not None and before.result.value is not None:
                baseline = baseline_for(kind, before.result.kind, before.result.value)
        if kind.needs_albumin:
            albumin = max(self._albumins.get(_sample(draw), {}).values(), key=_latest, default=None)
            if albumin is not None and albumin.result.value is not None:
                correction = correction_for(kind, albumin.result.kind, albumin.result.value)
        return Context(baseline, correction, earlier)

    def _bounds(self, draw: Draw) -> tuple[Bounds, ...]:
        kind, value = draw.result.kind, draw.result.value
        if value is None or not kind.usable:
            return ()
        scales = kind.scales
        if kind.needs_context:
            scales = grader(self._version, kind.assay, self.context(draw)).scales
        return tuple(Bounds(scale.criterion.direction, *scale.bounds(value)) for scale in scales)

    def _changed(self, draws: AnalyteDraws, before: Draw | None, after: Draw | None) -> None:
        """Keep the baseline and the samples current as one result takes the place of another."""
        for draw in (before, after):
            if draw is None:
                continue
            kind = draw.result.kind
            if kind.test in self._baselines and self._before_treatment(draw):
                del self._baselines[kind.test]
                if kind.needs_baseline:
                    draws.grade_again()
            if kind.test == CALCIUM:
                sample = self._calciums.setdefault(_sample(draw), set())
                (sample.add if draw is after else sample.discard)(draw.lab_id)
            elif kind.test == ALBUMIN:
                albumins = self._albumins.setdefault(_sample(draw), {})
                albumins.pop(draw.lab_id, None)
                if draw is after and draw.usable:
                    albumins[draw.lab_id] = draw

    def _correct_again(self, albumin: Draw) -> None:
        calcium = self.analytes.get(CALCIUM)
        for lab_id in self._calciums.get(_sample(albumin), ()):
            if calcium is not None:
                calcium.grade_again(calcium.by_id[lab_id])


def _place(draw: Draw) -> Place:
    return draw.span.lo, draw.span.hi, draw.lab_id


def _latest(draw: Draw) -> tuple[Instant, Instant, Instant, str]:
    return draw.span.lo, draw.span.hi, draw.time, draw.event_id


def _sample(draw: Draw) -> Sample:
    return draw.result.collected, draw.source


def _may_be_elevated(draw: Draw) -> bool:
    elevated, value = draw.result.kind.elevated, draw.result.value
    return elevated is not None and value is not None and value >= elevated.possible
