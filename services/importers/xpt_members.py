"""The members of a SAS transport file: a file may hold several data sets, and its library's reader sees the first alone.

A member is a run of 80-byte records that begins with a header of its own. Each is given to the reader as a file with that
member alone. The length of its rows tells whether the last one is whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

RECORD_BYTES: Final = 80
_LIBRARY_RECORDS: Final = 3
_HEADER: Final = b"HEADER RECORD*******"
_MEMBERS: Final = (b"MEMBER  ", b"MEMBV8  ")
_NAMESTRS: Final = (b"NAMESTR ", b"NAMSTV8 ")
_OBSERVATIONS: Final = (b"OBS     ", b"OBSV8   ")
#: A transport file is read as a whole to find its members; real ones of this size would be split by the standard's rules.
BYTES_MAX: Final = 4 << 30


class Member(NamedTuple):
    """One data set: its name, the bytes of a file that holds it alone, and how many bytes its last row lacks."""

    name: str
    content: bytes
    lacking: int


def members_of(path: Path) -> list[Member]:
    """The members of a file; none where it is no transport file. Raises :class:`OSError`, :class:`ValueError`."""
    if path.stat().st_size > BYTES_MAX:
        raise ValueError(f"the file has more than {BYTES_MAX:,} bytes")
    content = path.read_bytes()
    library = content[: _LIBRARY_RECORDS * RECORD_BYTES]
    starts = [at for at in _records(content, _MEMBERS) if at >= len(library)]
    ends = [*starts[1:], len(content)]
    return [_member(library, content[start:end]) for start, end in zip(starts, ends, strict=True)]


def _records(content: bytes, kinds: tuple[bytes, ...]) -> list[int]:
    """Where records of some kinds begin, always at a multiple of their length."""
    found = []
    for kind in kinds:
        at = content.find(_HEADER + kind)
        while at >= 0:
            if at % RECORD_BYTES == 0:
                found.append(at)
            at = content.find(_HEADER + kind, at + 1)
    return sorted(found)


def _member(library: bytes, content: bytes) -> Member:
    described = content[2 * RECORD_BYTES : 3 * RECORD_BYTES]
    name = described[8:16] if content[20:28] == _MEMBERS[0] else described[8:40]
    text = name.decode("ascii", "replace").strip().strip("\0")
    return Member(text.upper(), library + content, _lacking(content))


def _lacking(content: bytes) -> int:
    """How many bytes the last row lacks: the blanks that fill the last record are less than one row, or are blank."""
    namestrs, observations = _records(content, _NAMESTRS), _records(content, _OBSERVATIONS)
    if not namestrs or not observations:
        return 0
    width = _row_bytes(content, namestrs[0], observations[0])
    rest = (len(content) - observations[0] - RECORD_BYTES) % width if width else 0
    return width - rest if rest and content[len(content) - rest :].strip(b" \0") else 0


def _row_bytes(content: bytes, namestrs: int, observations: int) -> int:
    """The sum of the variables' lengths."""
    head = content[namestrs : namestrs + RECORD_BYTES]
    digits = head[54:58] if head[20:28] == _NAMESTRS[0] else head[52:58]
    count = int(digits) if digits.strip().isdigit() else 0
    begin = namestrs + RECORD_BYTES
    size = (observations - begin) // count if count else 0
    # Descriptions are 140 bytes each, 136 on one system, and filled up to whole records.
    size = 140 if size >= 140 else 136
    return sum(int.from_bytes(content[begin + at * size + 4 : begin + at * size + 6], "big") for at in range(count))
