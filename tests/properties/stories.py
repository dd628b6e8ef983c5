"""Small stories by hand: one subject of FR01, treated on 2017-02-13, and what the medical monitor hears of them."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from events.alert import AlertData
from events.dates import Instant, parse_instant
from tests import builder
from tests.properties.passing_time import WatchedSubject
from tests.properties.timelines import SITE, SPONSOR
from tests.rules.scenario import decoded

Json = dict[str, Any]
Heard = list[str]

SUBJECT: Final = "FR01-001"
RELATED: Final = {"investigator": {"pexa-vec": "related", "ipilimumab": "unrelated"}}
UNRELATED: Final = {"investigator": {"pexa-vec": "unrelated", "ipilimumab": "unrelated"}}


def on(day: int, hour: int = 9) -> str:
    """A date-time on a day of treatment, in winter: day 1 is 13 February, day 35 is 19 March."""
    month, date = (2, 12 + day) if day <= 16 else (3, day - 16)
    return f"2017-{month:02d}-{date:02d}T{hour:02d}:00:00+01:00"


class Monitor(WatchedSubject):
    """Tells the story of one subject, and says what the medical monitor hears: ``raised 1 met``."""

    def __init__(self, *, part: str | None = "A") -> None:
        super().__init__(SUBJECT)
        self.ids = count(1)
        self.enrolled(part=part)
        dose = {"administration_id": "ADM-1", "revision": 1, "drug": "pexa-vec", "given": on(1, 10), "status": "given"}
        assert self.sends("treatment.administered", on(1, 12), dose) == []

    def sends(self, stem: str, time: str, data: Json, source: str = SITE) -> Heard:
        """An event arrives."""
        event = builder.event(stem, data, subject=SUBJECT, id=f"e{next(self.ids)}", time=time, source=source)
        return [f"{kind} {data.revision} {data.verdict}" for kind, _, _, data in self.take(*decoded([event]))]

    def enrolled(self, *, part: str | None, revision: int = 1, time: str = on(1, 8)) -> Heard:
        """The subject's part, or a correction of it."""
        return self.sends(
            "subject.enrolled", time, {"revision": revision, "part": part, "dose_level": 1, "enrolled": "2017-02-01"}
        )

    def reports(self, time: str, revision: int = 1, **said: Any) -> Heard:
        """AE-1 at a revision: a sepsis of grade 3 or more is related, short, and nothing else, unless said otherwise."""
        data = {
            "ae_id": "AE-1",
            "revision": revision,
            "term": "Sepsis",
            "grade": 4,
            "onset": on(3),
            "end": on(5),
            "causality": RELATED,
            "immune_related": False,
            "injection_site": False,
            "flu_like": False,
            **said,
        }
        return self.sends("ae.reported", time, {key: value for key, value in data.items() if value is not None})

    def retracts(self, time: str, revision: int) -> Heard:
        """AE-1 was entered in error."""
        return self.sends("ae.retracted", time, {"ae_id": "AE-1", "revision": revision, "reason": "another subject's"})

    def rules(self, name: str, verdict: str, decided: str, *parties: str) -> Heard:
        """Somebody decides about AE-1 and sends it in at once; the parties sign."""
        data = {
            "adjudication_id": name,
            "revision": 1,
            "case": "ae:AE-1",
            "verdict": verdict,
            "decided": decided,
            "signatures": [{"party": party, "by": f"u-{party}", "at": decided} for party in parties],
            "reason": "discussed",
        }
        return self.sends("dlt.adjudicated", decided, data, SPONSOR)

    def time_passes(self, until: str) -> Heard:
        """Nothing happens but the clock."""
        already = len(self.transitions)
        for _ in self.tick(until=parse_instant(until)):
            pass
        return [f"{kind} {data.revision} {data.verdict}" for kind, _, _, data in self.transitions[already:]]

    def latest(self) -> AlertData:
        """What the monitor heard last."""
        return self.transitions[-1].data

    @property
    def reached(self) -> Instant:
        """The instant that the subject has reached."""
        return self.standing.chart.high_water
