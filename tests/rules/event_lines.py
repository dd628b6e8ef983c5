"""One event a line, in the words of a clinician, read into the event that a site's system would have sent.

    e3  D11 09:00Z  AE-1 "Colitis", grade 3, from D8 08:00, ongoing, investigator possible

The label is the event's id, then comes when it was recorded, then the subject unless it is FR01-001, then what is recorded.
What is not said is absent from the event, save what `docs/scenarios.md` lists: the envelope, revision 1, and the ids of doses,
visits and results.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from tests import builder
from tests.rules.notation import MOMENT, UNKNOWN, WHEN, Days, Json, NotationError, Vocabulary, items, phrases
from tests.rules.readers import (
    Reader,
    a_constant,
    a_date,
    a_list,
    a_mapping,
    a_number,
    a_text,
    a_word,
    number,
    pairs,
    quoted,
    token,
    yes_or_no,
)

SUBJECT: Final = "FR01-001"
DRUGS: Final = ("pexa-vec", "ipilimumab")

_LINE: Final = re.compile(
    rf"(?P<id>\S+)\s+(?P<time>{MOMENT})\s+(?:(?P<subject>[A-Z]{{2}}[0-9]{{2}}-[0-9]{{3,5}})\s+)?(?P<said>\S.*)"
)
_STATUSES: Final = {"given": "given", "partly given": "partial", "not given": "not-given"}
_RECORDS: Final = {
    "AE": ("ae", "ae_id"),
    "result": ("lab", "lab_id"),
    "dose": ("treatment", "administration_id"),
    "visit": ("visit", "visit_id"),
    "ruling": ("dlt", "adjudication_id"),
    "response": ("response", "assessment_id"),
}
_CAUSALITY: Final = "causality."
_SIGNATURE: Final = re.compile(rf"(\S+) (\S+)(?: at ({WHEN}))?( without meaning)?")


class Kind(NamedTuple):
    """A kind of event: how its first phrase reads (``first`` gives the type and the fields), and which others may follow.

    ``is_first_revision``: where no revision is said, it is 1.
    """

    pattern: re.Pattern[str]
    first: Callable[[re.Match[str], Days], tuple[str, Json]]
    others: Vocabulary
    is_first_revision: bool = True


def read_event(line: str, days: Days) -> Json:
    """The event that a line describes."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise NotationError("an event is its label, when it was recorded, and what is recorded")
    first, *others = phrases(found["said"])
    kind, matched = _kind(first)
    stem, data = kind.first(matched, days)
    envelope: Json = {}
    kind.others.read([one for one in others if not _is_envelope(one)], days, data)
    _ENVELOPE.read([one.removeprefix("@") for one in others if _is_envelope(one)], days, envelope)
    if kind.is_first_revision:
        data.setdefault("revision", 1)
    _finish(stem, data)
    return builder.event(
        stem,
        data,
        subject=found["subject"] or SUBJECT,
        id=found["id"],
        time=days.when(found["time"]),
        datacontenttype="application/json",
        **envelope,
    )


def _kind(first: str) -> tuple[Kind, re.Match[str]]:
    for kind in _KINDS:
        matched = kind.pattern.fullmatch(first)
        if matched is not None:
            return kind, matched
    raise NotationError(f"{first!r} is no kind of event that is known")


def _is_envelope(phrase: str) -> bool:
    return phrase.startswith(("source ", "@"))


def _finish(stem: str, data: Json) -> None:
    """What is usual and was not said, and what several phrases say together."""
    if stem == "treatment.administered":
        data.setdefault("administration_id", f"{data['drug']}-{data['given'][:10]}")
    if stem == "lab.resulted":
        data.setdefault("lab_id", f"L-{data['test']}-{data.get('collected')}")
    if stem == "visit.recorded":
        data.setdefault("visit_id", f"V-{data['name']}")
    for party in [name for name in data if name.startswith(_CAUSALITY)]:
        data.setdefault("causality", {})[party.removeprefix(_CAUSALITY)] = data.pop(party)
    for signature in data.get("signatures") or []:
        signature["at"] = signature["at"] or data.get("decided")


def _enrolled(found: re.Match[str], days: Days) -> tuple[str, Json]:
    return "subject.enrolled", {"enrolled": days.when(found["date"])}


def _sex(sex: str) -> Reader:
    def read(words: str, _: Days) -> Json:
        born, _, year = words.partition(" ")
        if born != "born":
            raise NotationError(f"{words!r} is no year of birth: write F born 1957")
        return {"sex": sex, "birth_year": number(year)}

    return read


def _dose(found: re.Match[str], days: Days) -> tuple[str, Json]:
    return "treatment.administered", {
        "drug": found["drug"],
        "given": days.when(found["date"]),
        "status": _STATUSES[found["status"]],
    }


def _ae(found: re.Match[str], _: Days) -> tuple[str, Json]:
    return "ae.reported", {"ae_id": found["id"], "term": quoted(found["term"])}


def _steps(words: str, days: Days) -> Json:
    """``grades 3 from D8 08:00 + 2 from D12 08:00``: from when on which grade holds."""
    steps = []
    for item in items(words):
        grade, space, start = item.partition(" from ")
        if not space:
            raise NotationError(f"{item!r} is no grade with the date from which it holds")
        steps.append({"grade": number(grade), "from": days.when(start)})
    return {"grades": steps}


def _causality(party: str) -> Reader:
    """``investigator possible``: of both study drugs; ``investigator pexa-vec possible + ipilimumab unrelated``: of each."""

    def read(words: str, _: Days) -> Json:
        if words in (UNKNOWN, "none"):
            return {f"{_CAUSALITY}{party}": None if words == UNKNOWN else {}}
        answers = pairs(words) if " " in words else dict.fromkeys(DRUGS, token(words))
        return {f"{_CAUSALITY}{party}": answers}

    return read


def _retracted(found: re.Match[str], _: Days) -> tuple[str, Json]:
    stem, name = _RECORDS[found["kind"]]
    return f"{stem}.retracted", {name: found["id"], "reason": quoted(found["reason"])}


def _ruling(found: re.Match[str], _: Days) -> tuple[str, Json]:
    return "dlt.adjudicated", {
        "adjudication_id": found["id"],
        "verdict": found["verdict"],
        "case": found["case"],
    }


def _signed(words: str, days: Days) -> Json:
    """``signed by investigator u-17 + sponsor u-40``: as a decision, at the instant of the decision, unless said otherwise."""
    signatures = []
    for item in [] if words == "nobody" else items(words):
        found = _SIGNATURE.fullmatch(item)
        if found is None:
            raise NotationError(f"{item!r} is no signature: write sponsor u-40, or sponsor u-40 at D9 10:00Z")
        party, by, at, plain = found.groups()
        signature = {"party": party, "by": by, "at": at and days.when(at)}
        signatures.append(signature if plain else {**signature, "meaning": "decision"})
    return {"signatures": signatures}


def _stopped(found: re.Match[str], days: Days) -> tuple[str, Json]:
    return "subject.discontinued", {
        "scope": found["scope"],
        "date": days.when(found["date"]),
        "reason": found["reason"],
    }


def _visit(found: re.Match[str], days: Days) -> tuple[str, Json]:
    return "visit.recorded", {"name": found["name"], "status": found["status"], "date": days.when(found["date"])}


def _result(found: re.Match[str], _: Days) -> tuple[str, Json]:
    data: Json = {"test": found["test"]}
    if found["unit"] != "no unit":
        data["unit"] = token(found["unit"])
    if found["id"]:
        data["lab_id"] = found["id"]
    if found["value"] != "no value":
        data["value"] = number(found["value"])
    if found["comparator"]:
        data["comparator"] = found["comparator"]
    return "lab.resulted", data


def _range(words: str, _: Days) -> Json:
    lower, to, upper = words.partition(" to ")
    if not to:
        raise NotationError(f"{words!r} is no range: write range 7 to 40, or range ? to 40")
    return {"lln": number(lower), "uln": number(upper)}


def _response(found: re.Match[str], days: Days) -> tuple[str, Json]:
    return "response.assessed", {
        "assessment_id": found["id"],
        "response": found["response"],
        "criteria": found["criteria"],
        "date": days.when(found["date"]),
    }


def _clock(found: re.Match[str], days: Days) -> tuple[str, Json]:
    return "clock.reached", {"due": days.when(found["date"]), "case": found["case"]}


def _other(found: re.Match[str], _: Days) -> tuple[str, Json]:
    return found["stem"], {}


_ENVELOPE: Final = Vocabulary({"source": a_word("source")})
_REVISION: Final[dict[str, Reader]] = {"rev": a_number("revision")}
_KINDS: Final = [
    Kind(
        re.compile(rf"enrolled (?P<date>{WHEN})"),
        _enrolled,
        Vocabulary(
            {
                **_REVISION,
                "part": a_word("part"),
                "level": a_number("dose_level"),
                "F": _sex("F"),
                "M": _sex("M"),
                **yes_or_no("liver_metastases", "liver metastases"),
                "no liver metastases": a_constant("liver_metastases", False),
                "zone": a_word("time_zone"),
                "protocol version": a_text("protocol_version"),
            }
        ),
    ),
    Kind(
        re.compile(rf"(?P<drug>\S+) (?P<status>given|partly given|not given) (?P<date>{WHEN})"),
        _dose,
        Vocabulary(
            {
                **_REVISION,
                "id": a_word("administration_id"),
                "lesions": a_number("lesions"),
            }
        ),
    ),
    Kind(
        re.compile(r'(?P<id>\S+) (?P<term>".*")'),
        _ae,
        Vocabulary(
            {
                **_REVISION,
                "preferred term": a_text("preferred_term"),
                "CTCAE term": a_text("ctcae_term"),
                "grade": a_number("grade"),
                "grades": _steps,
                "from": a_date("onset"),
                "to": a_date("end"),
                **yes_or_no("ongoing", "ongoing"),
                "continues": a_word("continues"),
                "outcome": a_word("outcome"),
                **yes_or_no("serious", "serious"),
                "seriousness": a_list("seriousness"),
                "causality ?": a_constant("causality", None),
                "investigator": _causality("investigator"),
                "sponsor": _causality("sponsor"),
                **yes_or_no("immune_related", "immune related"),
                "organs": a_list("organs"),
                **yes_or_no("injection_site", "injection site reaction"),
                **yes_or_no("flu_like", "flu-like"),
                **yes_or_no("responded_to_therapy", "responded to therapy"),
                "action": a_mapping("action_taken"),
            }
        ),
    ),
    Kind(
        re.compile(rf'(?P<kind>{"|".join(_RECORDS)}) (?P<id>\S+) retracted (?P<reason>".*")'),
        _retracted,
        Vocabulary(_REVISION),
        is_first_revision=False,
    ),
    Kind(
        re.compile(r"ruling (?P<id>\S+) (?P<verdict>\S+) on (?P<case>\S+)"),
        _ruling,
        Vocabulary(
            {
                **_REVISION,
                "decided": a_date("decided"),
                "signed by": _signed,
                "reason": a_text("reason"),
            }
        ),
    ),
    Kind(
        re.compile(rf"off (?P<scope>\S+) (?P<date>{WHEN}) for (?P<reason>\S+)"),
        _stopped,
        Vocabulary({**_REVISION, "last contact": a_date("last_contact"), **yes_or_no("retracted", "retracted")}),
    ),
    Kind(
        re.compile(rf"visit (?P<name>\S+) (?P<status>\S+) (?P<date>{WHEN})"),
        _visit,
        Vocabulary({**_REVISION, "id": a_word("visit_id")}),
    ),
    Kind(
        re.compile(
            r"result (?:(?P<id>\S+) )?(?P<test>\S+) (?P<comparator>[<>]=?)?(?P<value>no value|[-+.e0-9]+|\?) "
            r"(?P<unit>no unit|\S+)"
        ),
        _result,
        Vocabulary(
            {
                **_REVISION,
                "range": _range,
                "LLN": a_number("lln"),
                "ULN": a_number("uln"),
                "drawn": a_date("collected"),
                "status": a_word("status"),
                "pre-dose": a_constant("timepoint", "pre-dose"),
                "post-dose": a_constant("timepoint", "post-dose"),
                "specimen": a_word("specimen"),
                **yes_or_no("fasting", "fasting"),
            }
        ),
    ),
    Kind(
        re.compile(rf"response (?P<id>\S+) (?P<response>\S+) by (?P<criteria>\S+) (?P<date>{WHEN})"),
        _response,
        Vocabulary(_REVISION),
    ),
    Kind(
        re.compile(rf"clock reached (?P<date>{WHEN}) for (?P<case>\S+)"),
        _clock,
        Vocabulary({}),
        is_first_revision=False,
    ),
    Kind(re.compile(r"event (?P<stem>[a-z]+\.[a-z]+)"), _other, Vocabulary({}), is_first_revision=False),
]
