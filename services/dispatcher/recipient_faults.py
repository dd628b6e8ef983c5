"""What is wrong with a file of recipients, in an operator's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from events.errors import ToxwatchError
from events.faults import listed

FAULTS_SHOWN_MAX: Final = 5
_CHANNEL_PLACE: Final = 3

Place = tuple[str | int, ...]


class RecipientsError(ToxwatchError):
    """The file of recipients is missing, or says something that cannot be."""


def sentence_of(error: ValidationError, keys_known: Callable[[Place], list[str]]) -> str:
    """Every fault, each with the key that it is about. Values are left out: one may be a secret in the wrong place."""
    details = error.errors(include_url=False, include_input=False)
    shown = [_fault(each, keys_known) for each in details[:FAULTS_SHOWN_MAX]]
    if len(details) > FAULTS_SHOWN_MAX:
        shown.append(f"(and {len(details) - FAULTS_SHOWN_MAX} more)")
    return "; ".join(shown)


def nearest_of(name: str, known: Iterable[str]) -> str:
    """A hint at the name that was meant, or at those there are."""
    names = sorted(known)
    nearest = get_close_matches(name, names, n=1, cutoff=0.5)
    if nearest:
        return f"; the nearest is {nearest[0]!r}"
    return f"; there is {listed([repr(each) for each in names])}" if names else ""


def _fault(error: Mapping[str, Any], keys_known: Callable[[Place], list[str]]) -> str:
    place: Place = error["loc"]
    key = _written(place)
    match error["type"]:
        case "extra_forbidden":
            return f"{key}: there is no such key{nearest_of(str(place[-1]), keys_known(place[:-1]))}"
        case "missing":
            return f"{key}: missing"
        case "union_tag_not_found":
            return f'{key}.type: missing; say "console", "smtp" or "webhook"'
        case "union_tag_invalid":
            return f'{key}.type: not one of "console", "smtp" or "webhook"'
        case "string_pattern_mismatch" if key.endswith("host"):
            return f"{key}: not the name or the address of a host"
        case "string_pattern_mismatch":
            return f"{key}: a name has lower-case letters, digits and hyphens, at most 40"
        case "too_short":
            return f"{key}: at least one is needed"
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{key}: {said[:1].lower()}{said[1:]}" if key else said


def _written(place: Place) -> str:
    """The place as the file has it: ``channels.mail.port``, ``recipients[0].name``. Pydantic adds the type of a channel."""
    if len(place) >= _CHANNEL_PLACE and place[0] == "channels":
        place = (*place[:2], *place[_CHANNEL_PLACE:])
    text = ""
    for part in place:
        if part == "[key]":
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
