"""The data types of FHIR, read through :class:`services.importers.consumed.Element`: concepts, extensions, dates, references."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from events.dates import parse_date
from services.importers.consumed import Element
from services.importers.moments import read_moment

T = TypeVar("T")

CODING: Final = frozenset({"system", "version", "userSelected", "id"})
IDENTIFIER: Final = frozenset(
    {
        "use",
        "type",
        "system",
        "value",
        "period",
        "assigner",
        "coding",
        "code",
        "display",
        "text",
        "version",
        "userSelected",
    }
    | {"start", "end", "reference", "identifier", "id"}
)
REFERENCE: Final = IDENTIFIER
#: The members of FHIR's data types and of the backbone elements that are ignored: what is in none of them is told.
_KNOWN_NAMES: Final = (
    "unit comparator low high numerator denominator rank family given prefix suffix line city district state "
    "postalCode country contentType data url size hash title creation language author authorReference authorString "
    "time name telecom address relationship gender organization photo communication preferred other actor function "
    "onBehalfOf role member individual required participant class event repeat boundsPeriod boundsDuration "
    "boundsRange count countMax duration durationMax durationUnit frequency frequencyMax periodMax periodUnit "
    "dayOfWeek timeOfDay when offset location physicalType condition diagnosis preAdmissionIdentifier origin "
    "admitSource reAdmission dietPreference specialCourtesy specialArrangement destination dischargeDisposition "
    "mode method status item instance concept link comment sequence site route rate order ifNoneMatch "
    "ifModifiedSince ifMatch ifNoneExist etag lastModified score collector collectedDateTime collectedPeriod "
    "quantity bodySite fastingStatusCodeableConcept fastingStatusDuration description procedure additive "
    "additiveCodeableConcept additiveReference timeDateTime timePeriod capacity specimenQuantity "
    "itemCodeableConcept itemReference isActive strength lotNumber expirationDate targetFormat sigFormat who div "
)
KNOWN: Final = IDENTIFIER | frozenset(_KNOWN_NAMES.split())
#: The extensions that are read or ignored have these members besides.
_EXTENSION_NAMES: Final = "extension url valueReference valueCodeableConcept valueCode valueString valueBoolean "
_EXTENSION: Final = KNOWN | frozenset(_EXTENSION_NAMES.split())
_DATE: Final = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?", re.ASCII)


class Word(NamedTuple):
    """One thing that a concept says: a code with its system, its text, or a display."""

    system: str
    text: str
    is_code: bool


def words_of(concept: Element) -> list[Word]:
    """What a CodeableConcept, Coding, CodeableReference or plain text says: every code, then the text, then the displays."""
    if not isinstance(concept.raw, dict):
        return [Word("", word, True) for each in concept if (word := each.text())]
    codes: list[Word] = []
    displays: list[Word] = []
    for coding in [*concept["coding"], *([concept] if "code" in concept or "display" in concept else [])]:
        system = str(coding.raw.get("system") or "") if isinstance(coding.raw, dict) else ""
        coding.ignore_within(CODING, reason="what a code means is told by the code; the system was looked at")
        codes += [Word(system, word, True) for word in [coding["code"].text()] if word]
        displays += [Word(system, word, False) for word in [coding["display"].text()] if word]
    texts = [Word("", word, False) for word in [concept["text"].text()] if word]
    inner = words_of(concept["concept"]) if "concept" in concept else []
    concept["id"].ignore(reason="of the element alone")
    return [*codes, *texts, *displays, *inner]


def read_word(concept: Element) -> str:
    """What a person would read: the text, else a display, else a code."""
    words = words_of(concept)
    text = concept["text"].text() if isinstance(concept.raw, dict) else ""
    return (
        text or next((word.text for word in words if not word.is_code), "") or next((word.text for word in words), "")
    )


def meanings(concept: Element, known: Callable[[Word], T | None]) -> list[T]:
    """What the words of a concept mean, each meaning once. One of which no word is known stays unread, so that it is told."""
    found: list[T] = []
    for word in words_of(concept):
        meaning = known(word)
        if meaning is not None and meaning not in found:
            found.append(meaning)
    if concept and not found:
        concept.unread()
    return found


@lru_cache(maxsize=8192)
def squeezed(word: str) -> str:
    """A word as code tables compare it: letters and digits alone, in small letters, without accents."""
    plain = unicodedata.normalize("NFKD", word)
    return "".join(letter for letter in plain.lower() if letter.isalnum() and not unicodedata.combining(letter))


def extensions(element: Element, *names: str) -> Iterator[Element]:
    """The extensions of an element whose address ends in one of the names."""
    for member in ("extension", "modifierExtension"):
        for each in element[member]:
            url = each.raw.get("url") if isinstance(each.raw, dict) else None
            if isinstance(url, str) and url.rpartition("/")[2] in names:
                each["url"].text()
                each["id"].ignore(reason="of the element alone")
                yield each


def ignore_known(element: Element, *names: str, reason: str) -> None:
    """These members are not needed, as far as they are what FHIR has there: an unknown member in them is told."""
    for name in names:
        element[name].ignore_within(KNOWN, reason=reason)


def ignore_extension(extension: Element, *, reason: str) -> None:
    """An extension is not needed, as far as it has what the guide gives it."""
    extension.ignore_within(_EXTENSION, reason=reason)


def value_of(extension: Element) -> Element:
    """The value of an extension, of whatever type."""
    name = next((name for name in extension.names() if name.startswith("value")), "value")
    return extension[name]


def extension_value(element: Element, *names: str) -> Element:
    """The value of the first extension with one of the names; an empty element where there is none."""
    return next((value_of(each) for each in extensions(element, *names)), element["\0no such extension"])


def is_date(text: str) -> bool:
    """Whether a text is a date or date-time that can be read."""
    try:
        read_moment(text, "UTC")
    except ValueError:
        return False
    return True


def date_of(element: Element) -> str:
    """A date or date-time; one that cannot be read stays unread, so that it is told."""
    text = element.text()
    if text and not is_date(text):
        element.unread()
        return ""
    return text


def period_of(element: Element) -> tuple[str, str]:
    """The start and the end of a Period."""
    element["id"].ignore(reason="of the element alone")
    return date_of(element["start"]), date_of(element["end"])


def any_time_of(element: Element, stem: str) -> tuple[str, str]:
    """Start and end of ``stem[x]``: a dateTime, an instant, a Period or the dates of a Timing."""
    for kind in ("DateTime", "Instant", "Date"):
        moment = date_of(element[f"{stem}{kind}"])
        if moment:
            return moment, ""
    start, end = period_of(element[f"{stem}Period"])
    if start or end:
        return start, end
    timing = element[f"{stem}Timing"]
    moments = sorted(moment for each in timing["event"] if (moment := date_of(each)))
    if moments:
        return moments[0], moments[-1] if len(moments) > 1 else ""
    return period_of(timing["repeat"]["boundsPeriod"])


def covering(earliest: str, latest: str) -> str:
    """The shortest partial date that covers two dates: a day, a month or a year; the later one's year where none does.

    What is only known to lie between two dates is written so: the contract has no other way to say it.
    """
    first, last = _DATE.match(earliest), _DATE.match(latest)
    if last is None:
        return first[0][:4] if first is not None else ""
    if first is None:
        return last[0][:4]
    for length in (10, 7, 4):
        if first[0][:length] == last[0][:length] and len(first[0]) >= length <= len(last[0]):
            return last[0][:length]
    return last[0][:4]


def certainly_before(date: str, other: str) -> bool:
    """Whether a date's day is before another's, by their texts: both are local dates of one site."""
    return date[:10] < other[:10] and not other.startswith(date[:10])


def contradict(start: str, end: str, zone: str) -> bool:
    """Whether an end lies before its start, however imprecise the two are."""
    if not start or not end:
        return False
    return read_moment(end, zone).last < read_moment(start, zone).first


def earlier(a: str, b: str, zone: str) -> str:
    """The one of two dates that begins first."""
    return a if read_moment(a, zone).first <= read_moment(b, zone).first else b


def valid_day(text: str) -> bool:
    """Whether a text begins with a calendar date that exists."""
    try:
        parse_date(text[:10])
    except ValueError:
        return False
    return True
