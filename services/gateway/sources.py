"""What may stand as a source, and for which sources a key may speak (rules.md §6, integrating.md). Pure.

A source is compared character by character, so that two that look alike must not be two: what has capital letters where none
belong, invisible or foreign characters, or percent-encoding is refused with a sentence, and never changed: the bytes are the
sender's.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable
from typing import Final

from events.acceptance import OWN_SOURCES
from services.http.caller import OF_SITE

#: Of each site, its own: nobody else writes from there.
_SITES: Final = "urn:site:"
_SPONSOR: Final = "urn:sponsor:"
_LITERAL: Final = frozenset(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()+,;=")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_ANY: Final = "*"
PATTERN_CHARS_MAX: Final = 500


def fault_of_source(source: str) -> str | None:
    """Why a source is not taken as it is written, in a sentence; None where it is."""
    if "%" in source:
        return "it has percent-encoding; write a source in plain letters, digits and punctuation"
    for char in source:
        if char not in _LITERAL:
            return f"it has {_named(char)}; write a source in ASCII letters, digits and -._~:/?#[]@!$&'()+,;="
    found = _SCHEME.match(source)
    if found is None:
        return None
    scheme, rest = found[1], found[2]
    if scheme != scheme.lower():
        return f"write {scheme.lower()}: in lower case"
    if scheme == "urn":
        name = rest.partition(":")[0]
        return None if name == name.lower() else f"write urn:{name.lower()}: in lower case"
    host = rest[2:].partition("/")[0] if rest.startswith("//") else ""
    return None if host == host.lower() else f"write the host {host.lower()} in lower case"


def fault_of_pattern(pattern: str, sites: Iterable[str]) -> str | None:
    """Why a pattern is not one that a key of these sites (none: the sponsor's) may have; None where it is.

    A pattern is a source, or the beginning of sources with ``*`` at its end.
    """
    start = pattern.removesuffix(_ANY)
    if _ANY in start:
        return "* stands only at the end"
    if not start or len(pattern) > PATTERN_CHARS_MAX:
        return f"1 to {PATTERN_CHARS_MAX} characters that say whose the sources are"
    if fault := fault_of_source(start):
        return fault
    own = tuple(OF_SITE.format(site) for site in sites)
    if start.startswith(own or _SPONSOR):
        return None
    for taken in (OWN_SOURCES, _SPONSOR, _SITES):
        if start.startswith(taken) or (pattern.endswith(_ANY) and taken.startswith(start)):
            return f"it takes in {taken}*, of which {'a site' if own else 'the sponsor'} has no more than its own"
    return None


def matches(pattern: str, source: str) -> bool:
    """Whether a pattern takes in a source."""
    return source.startswith(pattern[:-1]) if pattern.endswith(_ANY) else source == pattern


def any_matches(patterns: Iterable[str], source: str) -> bool:
    """Whether any of them does."""
    return any(matches(pattern, source) for pattern in patterns)


def site_named_by(source: str) -> str | None:
    """The site that a source of the form ``urn:site:<site>:…`` names; None where it is of another form."""
    return source.removeprefix(_SITES).partition(":")[0] if source.startswith(_SITES) else None


def is_of_people(source: str, deployment: str) -> bool:
    """Whether signed-in people write from a source: of the sponsor or of a site, by way of this deployment. No key does."""
    folded, name = source.casefold(), deployment.casefold()
    if folded == f"{_SPONSOR}{name}":
        return True
    return folded.startswith(_SITES) and folded.removeprefix(_SITES).partition(":")[2] == name


def _named(char: str) -> str:
    if char == " ":
        return "a space"
    return f"U+{ord(char):04X} ({unicodedata.name(char, 'no printable character')})"
