"""Laboratory panels: steady values with noise, never above grade 2 unless a story or the portfolio wants it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from services.simulator.envelope import SubjectLog
from services.simulator.schedule import IPILIMUMAB_DAYS, PEXA_VEC_DAYS, Calendar, visit_name


class SimulatedAnalyte(NamedTuple):
    """One test: reference limits of an average site, and the range that background values are kept in."""

    test: str
    unit: str
    lln: float
    uln: float
    lowest: float
    highest: float
    digits: int
    panel: str  # "short" is drawn at every visit, "full" at the milestones only


# `lowest` and `highest` keep the background at CTCAE grade 0 to 2, whatever a site's limits, and clear of Hy's law.
ANALYTES: Final = (
    SimulatedAnalyte("WBC", "10*9/L", 4.0, 10.0, 3.2, 11.5, 1, "short"),
    SimulatedAnalyte("NEUT", "10*9/L", 1.8, 7.5, 1.6, 7.8, 2, "short"),
    SimulatedAnalyte("LYM", "10*9/L", 1.0, 4.0, 0.7, 3.2, 2, "short"),
    SimulatedAnalyte("HGB", "g/L", 125, 165, 96, 160, 0, "short"),
    SimulatedAnalyte("PLAT", "10*9/L", 150, 400, 105, 390, 0, "short"),
    SimulatedAnalyte("ALT", "U/L", 7, 41, 9, 80, 0, "short"),
    SimulatedAnalyte("AST", "U/L", 8, 40, 10, 80, 0, "short"),
    SimulatedAnalyte("ALP", "U/L", 40, 120, 45, 190, 0, "short"),
    SimulatedAnalyte("BILI", "umol/L", 3, 20, 4, 22, 0, "short"),
    SimulatedAnalyte("CREAT", "umol/L", 50, 105, 52, 104, 0, "short"),
    SimulatedAnalyte("SODIUM", "mmol/L", 136, 145, 134, 145, 0, "short"),
    SimulatedAnalyte("K", "mmol/L", 3.5, 5.1, 3.4, 5.0, 1, "short"),
    SimulatedAnalyte("GGT", "U/L", 8, 60, 12, 160, 0, "full"),
    SimulatedAnalyte("CA", "mmol/L", 2.15, 2.55, 2.2, 2.48, 2, "full"),
    SimulatedAnalyte("MG", "mmol/L", 0.70, 1.05, 0.68, 1.02, 2, "full"),
    SimulatedAnalyte("GLUC", "mmol/L", 3.9, 6.1, 4.2, 7.4, 1, "full"),
    SimulatedAnalyte("ALB", "g/L", 35, 50, 33, 47, 0, "full"),
    SimulatedAnalyte("PHOS", "mmol/L", 0.80, 1.45, 0.84, 1.4, 2, "full"),
    SimulatedAnalyte("LIPASE", "U/L", 13, 60, 14, 70, 0, "full"),
    SimulatedAnalyte("AMYLASE", "U/L", 28, 100, 30, 115, 0, "full"),
    SimulatedAnalyte("CK", "U/L", 30, 190, 35, 300, 0, "full"),
    SimulatedAnalyte("INR", "1", 0.8, 1.2, 0.9, 1.2, 2, "full"),
)
FULL_PANEL_DAYS: Final = (-6, 1, 22, 36, 57, 85, 106)
# Enzyme limits differ between methods, hence between sites.
_ENZYMES: Final = frozenset({"ALT", "AST", "ALP", "GGT", "LIPASE", "AMYLASE", "CK"})
_SITE_FACTORS: Final = (1.0, 0.95, 1.1, 1.05, 0.98)


@dataclass(frozen=True)
class Wish:
    """A value that a story needs, absolute or as a multiple of the upper limit."""

    value: float | None = None
    times_uln: float | None = None


Wishes = Mapping[tuple[int, str], Wish]


class SiteLimits(NamedTuple):
    """A site's reference interval."""

    lln: float
    uln: float


class UsualValues:
    """One subject's usual values at one site's laboratory."""

    def __init__(self, rng: random.Random, site: str) -> None:
        self._rng = rng
        factor = _SITE_FACTORS[int(site[2:]) % len(_SITE_FACTORS)]
        self.limits: dict[str, SiteLimits] = {}
        self._usual: dict[str, float] = {}
        for analyte in ANALYTES:
            scale = factor if analyte.test in _ENZYMES else 1.0
            self.limits[analyte.test] = SiteLimits(round(analyte.lln * scale, 2), round(analyte.uln * scale, 2))
            self._usual[analyte.test] = self._draw_usual(analyte)

    def _draw_usual(self, analyte: SimulatedAnalyte) -> float:
        inner = (analyte.lln + analyte.uln) / 2
        spread = (analyte.uln - analyte.lln) / 5
        return min(max(self._rng.gauss(inner, spread), analyte.lowest), analyte.highest)

    def value(self, analyte: SimulatedAnalyte) -> float:
        """Today's value: the usual one with 5 % of noise, kept in the background range."""
        drawn = self._usual[analyte.test] * (1 + 0.05 * (self._rng.random() + self._rng.random() - 1) * 2)
        return self._rounded(analyte, min(max(drawn, analyte.lowest), analyte.highest))

    def granted(self, analyte: SimulatedAnalyte, wish: Wish) -> float:
        """The value that a story wants."""
        if wish.value is not None:
            return wish.value
        assert wish.times_uln is not None
        return self._rounded(analyte, wish.times_uln * self.limits[analyte.test].uln)

    @staticmethod
    def _rounded(analyte: SimulatedAnalyte, value: float) -> float:
        return round(value, analyte.digits) if analyte.digits else round(value)


class SimulatedDraw(NamedTuple):
    """One venepuncture: when, for which visit, when its results were released and when they came in."""

    day: int
    collected: datetime
    released: datetime
    received: datetime | None


def draw_blood(calendar: Calendar, rng: random.Random, day: int, *, late: float) -> SimulatedDraw:
    """Plan the draw of a visit; with probability ``late`` its results reach the log some days after their release."""
    collected = calendar.at(day, "08:00") + timedelta(minutes=rng.randint(5, 55))
    released = calendar.at(day, "16:00") + timedelta(minutes=rng.randint(0, 50))
    received = None
    if rng.random() < late:
        received = released + timedelta(days=rng.randint(2, 6), minutes=rng.randint(1, 300))
    return SimulatedDraw(day, collected, released, received)


def results(usual: UsualValues, day: int, wishes: Wishes, *, full: bool) -> Iterator[tuple[SimulatedAnalyte, float]]:
    """The values of one draw. The white cells add up unless a story sets them."""
    values: dict[str, float] = {}
    for analyte in ANALYTES:
        wish = wishes.get((day, analyte.test))
        if wish is None and analyte.panel == "full" and not full:
            continue
        values[analyte.test] = usual.granted(analyte, wish) if wish else usual.value(analyte)
    if (day, "WBC") not in wishes:
        values["WBC"] = max(round(values["NEUT"] + values["LYM"] + 0.6, 1), 3.2)
    for analyte in ANALYTES:
        if analyte.test in values:
            yield analyte, values[analyte.test]


def report(log: SubjectLog, usual: UsualValues, draw: SimulatedDraw, analyte: SimulatedAnalyte, value: float) -> None:
    """Write one result."""
    limits = usual.limits[analyte.test]
    visit = visit_name(draw.day)
    data: dict[str, object] = {
        "test": analyte.test,
        "value": value,
        "unit": analyte.unit,
        "lln": limits.lln,
        "uln": limits.uln,
        "collected": draw.collected.isoformat(),
        "specimen": "blood" if analyte.panel == "short" and analyte.test in _CELLS else "serum",
        "status": "final",
        "visit_id": visit,
    }
    if analyte.test == "INR":
        data["specimen"] = "plasma"
    if analyte.test == "GLUC":
        data["fasting"] = True
    # The first days are in every schedule, so that a sample of day 1 always says on which side of the dose it lies.
    if draw.day in PEXA_VEC_DAYS or draw.day in IPILIMUMAB_DAYS:
        data["timepoint"] = "pre-dose"
    log.write("lab.resulted", f"{visit}-{analyte.test}", 1, draw.released, data, system="lis", received=draw.received)


_CELLS: Final = frozenset({"WBC", "NEUT", "LYM", "HGB", "PLAT"})


def sample_visit(
    log: SubjectLog, usual: UsualValues, calendar: Calendar, rng: random.Random, day: int, wishes: Wishes
) -> None:
    """Draw and report the panel of one visit."""
    draw = draw_blood(calendar, rng, day, late=0.05)
    for analyte, value in results(usual, day, wishes, full=day in FULL_PANEL_DAYS):
        report(log, usual, draw, analyte, value)
