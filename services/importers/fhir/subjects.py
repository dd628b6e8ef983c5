"""ResearchSubjects and persons: who takes part, who never did, who has left, and who has died."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.importers.consumed import Element
from services.importers.fhir.bundles import BundledResource
from services.importers.fhir.elements import covering, date_of, ignore_known, period_of, read_word, squeezed, words_of
from services.importers.fhir.people import deceased
from services.importers.fhir.reading import ENTERED_IN_ERROR, FhirReading, Made, NotReadError, Values, ignore_common

#: R4's statuses, and R5's states of a subject, that are no taking part.
NOT_ENROLLED: Final = frozenset(
    {
        "candidate",
        "eligible",
        "ineligible",
        "notregistered",
        "potentialcandidate",
        "screening",
        "pendingonstudy",
        "inprescreening",
    }
    | {"prescreening", "notenrolled", "declined", "screenfailure"}
)
WITHDRAWN: Final = frozenset({"withdrawn", "withdrawal"})
OFF_STUDY: Final = frozenset({"offstudy", "completed"})
_HUMAN_KNOWN: Final = (
    "name", "telecom", "address", "photo", "contact", "communication", "generalPractitioner", "managingOrganization", "link",
    "maritalStatus", "multipleBirthBoolean", "multipleBirthInteger",
)  # fmt: skip


def research_subject(entry: BundledResource, reading: FhirReading) -> Iterator[Made]:
    """A subject as a row of DM, and of DS where the subject has left."""
    common = reading.common(entry)
    resource = entry.element
    person = reading.people.person_of(entry)
    human = person.human if person is not None else None
    if human is not None:
        reading.used[id(human)] = human
    else:
        message = "the person is not in the import: sex, year of birth, and whether they live, are not known from it"
        reading.say(entry, f"{entry.kind}.individual", "", message)
    state, start, end = _course(resource)
    _ignore_known(resource)
    if common[ENTERED_IN_ERROR]:
        raise NotReadError(
            "an enrolment that was entered in error: no event takes one back", urgent=True, field="status"
        )
    dead, died = deceased(human)
    if state in NOT_ENROLLED and not dead:
        raise NotReadError(
            f"status {state}: not taking part, so that there is no enrolment", refused=False, field="status"
        )
    updated = reading.updated(entry)
    bound = reading.latest or updated
    if not start:
        start = covering("", end or bound)
        reading.say(
            entry, f"{entry.kind}.period.start", "", f"no date of enrolment: {start or 'none'} is written", urgent=True
        )
    reading.enrolled[common["USUBJID"]] = start
    yield "DM", {**common, **_who(human), "RFICDTC": start, "DMDTC": updated, "ARMCD": _arm(resource)}
    left = state in WITHDRAWN | OFF_STUDY
    if dead and human is not None:
        if left:
            message = f"left the study ({state} {end}), and has died: the death is written as the end of the study"
            reading.say(entry, "status", state, message, urgent=True)
        yield (
            "DS",
            {
                **common,
                **_ended("DEATH", _death(entry, reading, start, died, bound), reading.updated_or_latest(human)),
            },
        )
    elif left:
        yield "DS", {**common, **_left(entry, reading, state, start, end)}


def _course(resource: Element) -> tuple[str, str, str]:
    """The state of a subject, when taking part began, and when it ended. R5 has it in ``progress``."""
    state = squeezed(resource["status"].text())
    start, end = period_of(resource["period"])
    latest = ""
    for step in resource["progress"]:
        said = next((squeezed(word.text) for word in words_of(step["subjectState"])), "")
        words_of(step["milestone"]), words_of(step["type"]), words_of(step["reason"])
        begun, ended = date_of(step["startDate"]), date_of(step["endDate"])
        if said and begun >= latest:
            state, latest = said, begun
        if said in WITHDRAWN | OFF_STUDY:
            end = end or begun or ended
        elif said and said not in NOT_ENROLLED:
            start = start or begun
    return state, start, end


def _left(entry: BundledResource, reading: FhirReading, state: str, start: str, end: str) -> Values:
    updated = reading.updated(entry)
    if not end:
        end = covering(start, reading.latest or updated)
        reading.say(entry, f"{entry.kind}.period.end", "", f"no date of {state}: {end} is written", urgent=True)
    return _ended("WITHDRAWAL BY SUBJECT" if state in WITHDRAWN else "OTHER", end, updated)


def _ended(reason: str, date: str, updated: str) -> Values:
    ended = {"DSCAT": "DISPOSITION EVENT", "DSSCAT": "STUDY PARTICIPATION", "DSDECOD": reason}
    return {**ended, "DSSTDTC": date, "DSDTC": updated}


def _death(entry: BundledResource, reading: FhirReading, start: str, died: str, bound: str) -> str:
    if died:
        return died
    date = covering(start, bound)
    message = f"a death without a date that can be read: {date} is written, and when it was must be asked"
    reading.say(entry, "Patient.deceased", "true", message, urgent=True)
    return date


def _who(human: BundledResource | None) -> Values:
    if human is None:
        return {"SEX": "", "BRTHDTC": ""}
    element = human.element
    ignore_person(element)
    return {"SEX": sex_of(element), "BRTHDTC": date_of(element["birthDate"])[:7]}


def sex_of(human: Element) -> str:
    """The sex, as far as the contract has it; a word that is not one of FHIR's stays unread, so that it is told."""
    said = human["gender"].text().lower()
    if said not in ("female", "male", "other", "unknown", ""):
        human["gender"].unread()
    return {"female": "F", "male": "M"}.get(said, "")


def ignore_person(element: Element) -> None:
    """What a person's resource says about the person, not about what happened to a subject."""
    ignore_common(element)
    element["active"].flag()
    sex_of(element)
    ignore_known(element, *_HUMAN_KNOWN, reason="it identifies a person, and no rule needs it")


def _arm(resource: Element) -> str:
    names = ("actualArm", "assignedArm", "actualComparisonGroup", "assignedComparisonGroup")
    return next((arm for arm in [read_word(resource[name]) for name in names] if arm), "")


def _ignore_known(resource: Element) -> None:
    ignore_known(
        resource, "study", "individual", "subject", "consent", reason="who takes part in which study was found by them"
    )
