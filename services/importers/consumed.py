"""What has been read of a resource or row, and what is left: what nothing has read is told, by the same code for every format.

A reader never walks the parsed JSON or the row's dictionary itself. It wraps it, reads through the wrapper, and hands the
wrapper to :func:`tell_left`, which writes a line of the report for each part that was neither read nor ignored on purpose.
So what a reader has no code for (an unknown member, a value of another type than expected) cannot be lost in silence.

Trees (FHIR)::

    resource = Element("Observation", parsed)
    value = resource["valueQuantity"]["value"].text()     # marks this leaf as read; "" where it is absent or no scalar
    for coding in resource["code"]["coding"]:             # a list's elements; a single value is a list of one
        ...
    resource["meta"].ignore("profile", "tag", reason="...")     # these members, whatever is beneath them

Of rows (SDTM, CSV, transport files, Dataset-JSON) the columns are compared with those that a reader knows, once a file
(``unread``): what is neither read nor left out knowingly goes the same way. At the end of a resource::

    tell_left(report, file, number, resource, urgent=urgent)

``urgent`` is True where the resource or row as a whole is known to matter (a severe toxicity); else each part left over is
judged by its words, :func:`may_be_severe`. Many rows that leave the same column unread are one line each unless they go
through :class:`UnreadColumns`, which counts them by column and writes at the end of the file; urgent ones are told singly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from services.importers.report import ImportReport

#: As much of a value as a line of the report shows.
SHOWN: Final = 2000

#: A place in a tree: names of members and positions in lists.
Where = tuple[str | int, ...]

UNREAD: Final = "nothing reads this: no event says it"

#: Words by which a part that nobody reads may say that a toxicity is severe, serious, fatal or related, that somebody died,
#: or that a treatment was given: in names of members and columns, in code words, in English and in French.
_SEVERE: Final = re.compile(
    r"grade|toxgr|ctc|sever|s[eé]v[eè]re|serious|grave|life.?threat|pronostic.?vital|fatal|death|d[ée]c[èe]s|died|dead|dying"
    r"|deceased|d[ée]c[ée]d|dth|relate|causal|imputab|aerel|suspect|dose.?limit|\bdlt|hospitali|disab|outcome|aeout|aeser|aesev"
    r"|entered.?in.?error|modifierextension|c4133[789]|c41340|c48275|c84266|exstdtc|exdose|administered",
    re.IGNORECASE,
)


class Left(NamedTuple):
    """A part that nothing has read: where it is, and what it says."""

    path: str
    value: str


class Content(Protocol):
    """A resource or a row that knows what has been read of it."""

    def left(self) -> Iterator[Left]:
        """What has neither been read nor ignored on purpose."""


class Element:
    """A JSON value that remembers which of its leaves were read. What is absent is an empty element, so that paths never fail."""

    __slots__ = ("_node", "_read", "_where")

    def __init__(self, name: str, node: Any) -> None:
        self._where: Where = (name,)
        self._node = node
        self._read: set[Where] = set()

    def _beneath(self, part: str | int, node: Any) -> Element:
        child = Element.__new__(Element)
        child._where = (*self._where, part)
        child._node = node
        child._read = self._read
        return child

    @property
    def path(self) -> str:
        """Where it is: ``AdverseEvent.extension[2].url``."""
        return path_text(self._where)

    @property
    def raw(self) -> Any:
        """The JSON itself. Looking at it marks nothing as read."""
        return self._node

    def __bool__(self) -> bool:
        return self._node is not None and self._node != {} and self._node != []

    def __contains__(self, name: str) -> bool:
        return isinstance(self._node, dict) and self._node.get(name) is not None

    def __getitem__(self, name: str) -> Element:
        return self._beneath(name, self._node.get(name) if isinstance(self._node, dict) else None)

    def __iter__(self) -> Iterator[Element]:
        """The elements of a list. A value that is no list is a list of one, as servers of other versions write it."""
        if isinstance(self._node, list):
            if not self._node:
                self._read.add(self._where)
            for index, node in enumerate(self._node):
                yield self._beneath(index, node)
        elif self._node is not None:
            yield self

    def names(self) -> tuple[str, ...]:
        """The members of an object."""
        return tuple(self._node) if isinstance(self._node, dict) else ()

    def text(self) -> str:
        """A scalar as text, trimmed; ``""`` for what is absent, and for an object or a list, which stays unread."""
        if isinstance(self._node, dict | list):
            return ""
        self._read.add(self._where)
        if self._node is None:
            return ""
        return str(self._node).lower() if isinstance(self._node, bool) else str(self._node).strip()

    def flag(self) -> bool | None:
        """True or false, also as a text; None for anything else, which stays unread."""
        said = self._node if isinstance(self._node, bool) else {"true": True, "false": False}.get(str(self._node))
        if said is not None:
            self._read.add(self._where)
        return said

    def ignore(self, *names: str, reason: str) -> None:  # noqa: ARG002 - the reason is for who reads the code
        """Nothing here is needed: of these members, or without names of the whole; with everything beneath."""
        for part in [self[name] for name in names if name in self.names()] if names else [self]:
            self._read.update(_leaves(part._where, part._node, None))

    def ignore_within(self, names: frozenset[str], *, reason: str) -> None:  # noqa: ARG002 - as above
        """The leaves all of whose names, from here on, are among ``names``: known members of known types, and no other."""
        self._read.update(_leaves(self._where, self._node, names))

    def unread(self) -> None:
        """Take back that this, and what is beneath, was read: it was looked at, and could not be used."""
        depth = len(self._where)
        self._read.difference_update([each for each in self._read if each[:depth] == self._where])

    def left(self) -> Iterator[Left]:
        """What has not been read, each part as far up as nothing in it was read."""
        found, read = _unread(self._where, self._node, self._read)
        yield from found if read else [Left(path_text(self._where), shown(self._node))]


class UnreadColumns:
    """Columns that many rows of one file leave unread: one line a column, with the number of rows; the urgent ones singly."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._counts: dict[str, int] = {}

    def add(self, report: ImportReport, number: int, row: Content, *, urgent: bool = False) -> None:
        """Count what the row has left. ``urgent``: it is of a row that matters as a whole, and told at once."""
        for part in row.left():
            if urgent:
                report.left_over(self._file, number, part.path, part.value, UNREAD, urgent=True)
            else:
                self._counts[part.path] = self._counts.get(part.path, 0) + 1

    def tell(self, report: ImportReport) -> None:
        """Write the lines. A column whose name says that it may matter is urgent."""
        for column, count in self._counts.items():
            message = f"{UNREAD} (rows with a value here: {count})"
            report.left_over(self._file, None, column, "", message, urgent=may_be_severe(column))
        self._counts.clear()


def tell_left(report: ImportReport, file: str, number: int | None, content: Content, *, urgent: bool = False) -> int:
    """A line for whatever has not been read of a resource or row. Returns the number of lines."""
    count = 0
    for part in content.left():
        matters = urgent or may_be_severe(f"{part.path} {part.value}")
        report.left_over(file, number, part.path, part.value, UNREAD, urgent=matters)
        count += 1
    return count


def may_be_severe(text: str) -> bool:
    """Whether words say or may say grade 3 or more, serious, fatal, related, a death or a dose."""
    return _SEVERE.search(text) is not None


def shown(node: Any) -> str:
    """A value as a line of the report shows it: JSON where it is no text, and its head where it is long."""
    text = node if isinstance(node, str) else json.dumps(node, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def path_text(where: Where) -> str:
    """A place in a tree as people write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")


def _unread(where: Where, node: Any, read: set[Where]) -> tuple[list[Left], bool]:
    """The unread parts beneath, and whether anything beneath was read."""
    children = list(_children(where, node))
    if not children:
        return ([], True) if where in read else ([Left(path_text(where), shown(node))], False)
    left: list[Left] = []
    some = False
    for place, child in children:
        found, any_read = _unread(place, child, read)
        some = some or any_read
        left += found if any_read else [Left(path_text(place), shown(child))]
    return left, some


def _children(where: Where, node: Any) -> Iterator[tuple[Where, Any]]:
    if isinstance(node, dict):
        yield from (((*where, name), child) for name, child in node.items())
    elif isinstance(node, list):
        yield from (((*where, index), child) for index, child in enumerate(node))


def _leaves(where: Where, node: Any, names: frozenset[str] | None) -> Iterator[Where]:
    """The leaves beneath; with ``names``, those that are reached by members of these names alone."""
    children = list(_children(where, node))
    if not children:
        yield where
    for place, child in children:
        if names is None or isinstance(place[-1], int) or place[-1] in names:
            yield from _leaves(place, child, names)
