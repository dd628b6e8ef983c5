"""Events that are valid and that nobody would send: every field at its bounds, texts that break whatever can be broken by texts.

Drawn from a seed. What is drawn is valid by the contract; now and then it contradicts what came before, and is refused for that.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from events.codec import Codec
from events.errors import EventRefused
from projections.protocols.isi_jx import PROTOCOL
from tests import builder
from tests.crash.stories import TRIAL, Line

Json = dict[str, Any]

SITE: Final = "FR01"
NUMBERS: Final = (0, -0.0, 5e-324, 2.2e-308, 1e-18, 0.1, 1, 3.0000000000000004, 40, 900, 2**53, 1e18, 1e21, 1e300)
SIGNED: Final = (*NUMBERS, -1, -1e300, -5e-324)
WHOLE: Final = (1, 2, 3, 2**31 - 1, 2**31, 3_000_000_000, 2**53 - 1)
TEXTS: Final = (
    "",
    " ",
    "Sepsis",
    "Colite",
    "Endocrine disorders - Other, specify",
    "\ufdfa" * 2000,
    "ŒUF" * 600,
    "a\u0301" * 1000,
    "😀" * 2000,
    "\u202e\u200b\u200d\ufeff",
    "\x01\x1b[31m\x7f\x85\u2028",
    "line\nbreak\r\ttab",
    "'; DROP TABLE subjects; --",
    '%s %(name)s {0} {name} $1 \\ \\\\ "',
    "=HYPERLINK(1)",
    "NULL",
    "\U0010ffff\ud7ff\ue000",
)
ZONES: Final = (
    "Europe/Paris",
    "Pacific/Kiritimati",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Etc/GMT+12",
    "Africa/Monrovia",
)
OFFSETS: Final = ("Z", "+14:00", "-12:00", "+05:45", "-00:00", "+23:59")
#: Where things meet: about a first administration.
ABOUT_DAY_1: Final = (
    "1980-03-01",
    "1980-03-02T08:00:00+01:00",
    "1980-03-09",
    "1980-03-20T23:59:59Z",
    "1980-03",
    "1980-04-04",
)
LAST: Final = datetime(2026, 6, 1, tzinfo=UTC)


class Outlandish:
    """Draws events of a site, site A unless named, about so many subjects of it, or about one that is given.

    ``sources``: from how many systems; of one alone no event contradicts another.
    """

    def __init__(
        self, seed: int, subjects: int = 1, site: str = SITE, subject: str | None = None, sources: int = 2
    ) -> None:
        self._chance = random.Random(seed)
        self._site = site
        self._subjects = [subject] if subject else [f"{site}-{number:05d}" for number in range(subjects)]
        self._sources = [f"urn:site:{site}:edc", f"urn:site:{site}:edc", f"urn:site:{site}:{'s' * 900}"][-sources:]
        self._count = 0
        self._kinds: tuple[Callable[[], tuple[str, Json]], ...] = (
            self._enrolled,
            self._administered,
            self._discontinued,
            self._visit,
            self._lab,
            self._lab,
            self._ae,
            self._ae,
            self._ae,
            self._response,
            self._adjudicated,
            self._retracted,
        )

    def events(self, count: int) -> Iterator[bytes]:
        """So many events, each a line."""
        for _ in range(count):
            kind, data = self._chance.choice(self._kinds)()
            yield json.dumps(self._event(kind, data), ensure_ascii=self._chance.random() < 0.5).encode()

    def _event(self, kind: str, data: Json) -> Json:
        self._count += 1
        subject = self._pick(*self._subjects)
        if self._chance.random() < 0.05:
            data["x"] = self._own()
        attributes = {
            "id": f"{subject}-{self._count}-{self._identifier()}"[:250],
            "source": self._pick(*self._sources),
            "site": self._site,
            "time": self._instant(),
        }
        kept = {name: value for name, value in data.items() if value is not None or self._chance.random() < 0.2}
        event = builder.event(kind, kept, subject=subject, trial=TRIAL, **attributes)
        if self._chance.random() < 0.05:
            event["ownextension"] = self._text()
        return event

    def _pick(self, *of: Any) -> Any:
        return self._chance.choice(of)

    def _maybe(self, value: Any, share: float = 0.5) -> Any:
        return value if self._chance.random() < share else None

    def _text(self) -> str:
        if self._chance.random() < 0.1:
            return "".join(chr(self._chance.choice((self._chance.randrange(32, 0xD800), 0x1F600))) for _ in range(400))
        return str(self._pick(*TEXTS))

    def _identifier(self) -> str:
        """Of few, so that records meet; or long, and of what no compression makes short."""
        if self._chance.random() < 0.1:
            return "".join(chr(self._chance.randrange(0x4E00, 0x9FFF)) for _ in range(333))
        return str(
            self._pick("1", "2", "AE-1", "é\u0301", "' OR 1=1", "a:b/c@d#e", "..", "@partition-0", "\u200b", "x" * 1000)
        )

    def _time(self) -> datetime:
        return LAST - timedelta(seconds=self._chance.choice((0, 1, 86_400, self._chance.randrange(10**9), 10**9)))

    def _instant(self) -> str:
        offset = self._pick(*OFFSETS)
        text = self._time().strftime("%Y-%m-%dT%H:%M:%S")
        return text + self._pick("", ".5", ".123456") + offset

    def _date(self) -> str:
        """At any precision, and far enough back that nothing is later than its event."""
        past = self._time() - timedelta(days=self._chance.choice((12_000, 20_000, 40_000, 5_000)))
        year = max(1900, past.year)
        return str(
            self._pick(
                f"{year}",
                f"{year}-{past.month:02d}",
                f"{year}-{past.month:02d}-{min(past.day, 28):02d}",
                f"{year}-{past.month:02d}-{min(past.day, 28):02d}T23:59:59.999999{self._pick(*OFFSETS)}",
                "1900",
                "1900-01-01",
                *ABOUT_DAY_1,
            )
        )

    def _own(self) -> Json:
        value: Any = self._pick(10**300, -(2**63), 1e308, self._text(), [0] * 500, None, True)
        for _ in range(self._chance.choice((0, 3, 25))):
            value = {self._text()[:50] or "k": value}
        return {"own": value}

    def _revision(self) -> int:
        return int(self._pick(*WHOLE))

    def _enrolled(self) -> tuple[str, Json]:
        return "subject.enrolled", {
            "revision": self._revision(),
            "part": self._pick("A", "B", None),
            "dose_level": self._pick(*WHOLE, None),
            "enrolled": self._date(),
            "sex": self._pick("F", "M", None),
            "birth_year": self._pick(1900, 2200, None),
            "time_zone": self._pick(*ZONES, None),
            "protocol_version": self._maybe(self._text()),
        }

    def _administered(self) -> tuple[str, Json]:
        return "treatment.administered", {
            "administration_id": self._identifier(),
            "revision": self._revision(),
            "drug": self._pick("pexa-vec", "ipilimumab"),
            "given": self._date(),
            "status": self._pick("given", "partial", "not-given"),
            "dose": self._pick(*SIGNED, None),
            "dose_unit": self._maybe(self._text()),
            "lesions": self._pick(1, 5, None),
        }

    def _discontinued(self) -> tuple[str, Json]:
        return "subject.discontinued", {
            "revision": self._revision(),
            "scope": self._pick("treatment", "study"),
            "date": self._date(),
            "reason": self._pick("completed", "adverse-event", "death", "lost-to-follow-up"),
            "last_contact": self._maybe(self._date()),
            "retracted": self._pick(True, False, None),
        }

    def _visit(self) -> tuple[str, Json]:
        return "visit.recorded", {
            "visit_id": self._identifier(),
            "revision": self._revision(),
            "name": self._text(),
            "date": self._date(),
            "status": self._pick("completed", "missed", "unscheduled"),
            "ecog": self._pick(0, 5, None),
            "weight_kg": self._pick(*SIGNED, None),
        }

    def _lab(self) -> tuple[str, Json]:
        return "lab.resulted", {
            "lab_id": self._identifier(),
            "revision": self._revision(),
            "test": self._pick("ALT", "AST", "BILI", "ALP", "CA", "ALB", "NEUT", "CREAT", "GLUC", self._text() or "?"),
            "loinc": self._maybe(self._text(), 0.1),
            "value": self._pick(*NUMBERS, None),
            "text": self._maybe(self._text(), 0.2),
            "comparator": self._pick("<", ">", "<=", ">=", None, None),
            "unit": self._pick("U/L", "umol/L", "mg/dL", "g/L", "10*9/L", "mmol/L", "1", None, self._text()),
            "lln": self._pick(*SIGNED, None),
            "uln": self._pick(*SIGNED, 40, 40, None),
            "collected": self._date(),
            "timepoint": self._pick("pre-dose", "post-dose", None),
            "specimen": self._pick("blood", "urine", None),
            "status": self._pick("final", "corrected", "not-done", None),
            "fasting": self._pick(True, False, None),
            "visit_id": self._maybe(self._identifier()),
        }

    def _ae(self) -> tuple[str, Json]:
        words = ("certain", "related", "unrelated", "unclassifiable", "not-applicable", None)
        keys = ("pexa-vec", "ipilimumab", "study-treatment", "injection-procedure")
        return "ae.reported", {
            "ae_id": self._identifier(),
            "revision": self._revision(),
            "term": self._text(),
            "preferred_term": self._maybe(self._text()),
            "ctcae_term": self._maybe(self._text(), 0.2),
            "meddra_code": self._maybe(self._text(), 0.1),
            "grade": self._pick(1, 3, 4, 5, None),
            "grades": self._pick(None, None, None, self._steps()),
            "onset": self._maybe(self._date(), 0.4),
            "ongoing": self._pick(True, False, None),
            "continues": self._maybe(self._identifier(), 0.3),
            "outcome": self._pick("recovered", "fatal", "unknown", None),
            "serious": self._pick(True, False, None),
            "seriousness": self._pick(None, ["death"] * 500, ["life-threatening"]),
            "causality": {
                "investigator": {key: self._pick(*words) for key in keys},
                "sponsor": self._maybe({keys[0]: self._pick(*words)}),
            },
            "immune_related": self._pick(True, False, None),
            "organs": self._pick(None, ["heart"] * 500, ["skin", "other"]),
            "injection_site": self._pick(True, False, None),
            "flu_like": self._pick(True, False, None),
            "responded_to_therapy": self._pick(True, False, None),
            "identifiers": self._pick(None, None, [{"system": self._text(), "value": self._text()}] * 20),
        }

    def _steps(self) -> list[Json]:
        """As many as are taken, all on one date: ascending, since equal ones are."""
        date = self._date()
        return [{"grade": self._chance.randint(1, 5), "from": date} for _ in range(self._chance.choice((1, 2, 500)))]

    def _response(self) -> tuple[str, Json]:
        return "response.assessed", {
            "assessment_id": self._identifier(),
            "revision": self._revision(),
            "date": self._date(),
            "criteria": self._pick("irRC", "RECIST1.1"),
            "response": self._pick("CR", "PD", "NE"),
            "injected_change_pct": self._pick(*SIGNED, None),
            "non_injected_change_pct": self._pick(*SIGNED, None),
        }

    def _adjudicated(self) -> tuple[str, Json]:
        at = "1990-01-01T00:00:00Z"
        signature = {"party": self._pick("investigator", "sponsor", "committee"), "by": self._identifier(), "at": at}
        return "dlt.adjudicated", {
            "adjudication_id": self._identifier(),
            "revision": self._revision(),
            "case": self._pick(
                f"ae:{self._identifier()[:300]}", "lab:ALT", "lab:HY", "discontinued:death", "cohort:A/1", "\u200b"
            ),
            "verdict": self._pick("dlt", "not-dlt"),
            "decided": at,
            "signatures": [signature] * self._chance.choice((0, 1, 500)),
            "reason": self._text(),
        }

    def _retracted(self) -> tuple[str, Json]:
        kind, name = self._pick(
            ("ae", "ae_id"), ("lab", "lab_id"), ("treatment", "administration_id"), ("visit", "visit_id")
        )
        return f"{kind}.retracted", {name: self._identifier(), "revision": self._revision(), "reason": self._text()}


def hostile_life(chance: random.Random, subject: str) -> Iterator[list[Line]]:
    """What a hostile site sends of one subject, as a load's life: requests of outlandish events that the contract allows."""
    codec = Codec(PROTOCOL.contract)
    drawn = Outlandish(chance.randrange(2**32), site=subject[:4], subject=subject, sources=1).events(24)
    valid = [raw for raw in drawn if not isinstance(codec.read(raw), EventRefused)]
    # Never one alone: binary mode would put its identifiers into headers.
    for start in range(0, len(valid) - 1, 4):
        if len(several := valid[start : start + 4]) > 1:
            yield [Line(json.loads(raw)["id"], subject, raw) for raw in several]
