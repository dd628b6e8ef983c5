"""One broken rule, said about one field; several of them make one refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from events.errors import BadField, EventRefused

VALUE_CHARS_MAX: Final = 60
FAULTS_SHOWN_MAX: Final = 5

_WORDS: Final[dict[object, str]] = {None: "null", True: "true", False: "false"}


class Fault(NamedTuple):
    """The field by its path (empty: the line as a whole), what is wrong with it, and the kind of refusal."""

    field: str
    message: str
    kind: type[EventRefused] = BadField

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def refusal(faults: Sequence[Fault], event_id: str | None, subject: str | None) -> EventRefused:
    """The exception for one event: its kind and field are those of the first fault."""
    first = faults[0]
    error = "; ".join(str(fault) for fault in faults[:FAULTS_SHOWN_MAX])
    if len(faults) > FAULTS_SHOWN_MAX:
        error += f" (and {len(faults) - FAULTS_SHOWN_MAX} more)"
    return first.kind(_printable(error), field=_printable(first.field), event_id=event_id, subject=subject)


def _printable(text: str) -> str:
    """A field may have any name, and one with a line break in it must not break the list of refusals."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def show(value: object) -> str:
    """A value as the sender will recognise it, cut where it is long. Long values are not written out first."""
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    text = repr(value[: VALUE_CHARS_MAX + 1] if isinstance(value, str) else value)
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"


def masked(value: object) -> str:
    """A subject id that is not of the trial's pattern: it may be a name or a birth date."""
    return f"(masked, {len(value)} characters)" if isinstance(value, str) else "(masked)"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
