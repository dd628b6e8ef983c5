"""Bytes to events and back. What :meth:`Codec.decode` returns is valid; anything else is an ``EventRefused``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from events.acceptance import Acceptance, TrialContract
from events.base64_data import MARK, BadBase64, with_plain_data
from events.catalog import EVENT_ADAPTER, AnyEvent
from events.dates import Instant
from events.errors import EventRefused, NotJson, TooLarge
from events.faults import Fault, refusal
from events.shape import faults_of, whole_floats
from events.stamp import stamp_size
from events.triage import looks_severe, readable_id
from events.wire import DATA_BASE64, BrokenJsonError, complaint, exact, leftovers, nothing_left

__all__ = ["LINE_BYTES_MAX", "Codec", "Logged", "looks_severe", "readable_id"]

LINE_BYTES_MAX: Final = 256 * 1024

#: Replaces a subject id that is not the trial's, wherever else in the event it occurs.
MASK: Final = "(masked)"
#: A shorter text cannot be told from chance in an id.
NAME_CHARS_MIN: Final = 3


class Logged(NamedTuple):
    """An event with the instants at which it was recorded and received."""

    event: AnyEvent
    time: Instant
    received: Instant


class Codec:
    """Reads and writes the events of one trial."""

    def __init__(self, contract: TrialContract) -> None:
        self.contract = contract
        self._acceptance = Acceptance(contract)
        self._check = self._acceptance.check
        # Without the adapter's method between, which costs a tenth of the whole.
        self._validate: Callable[[bytes | str], AnyEvent] = EVENT_ADAPTER.validator.validate_json

    def decode(self, raw: bytes, size: int | None = None) -> Logged:
        """The event, checked in every way that one event can be. Raises :class:`events.errors.EventRefused`.

        ``size`` in bytes is given where ``raw`` is only the beginning of what came.
        """
        size = len(raw) if size is None else size
        if size > LINE_BYTES_MAX and size - stamp_size(raw) > LINE_BYTES_MAX:
            rule = f"{size} bytes; at most {LINE_BYTES_MAX} are taken for one event"
            raise refusal([Fault("", rule, TooLarge)], readable_id(raw), None)
        if MARK in raw:
            raw = self._with_plain_data(raw)
        try:
            event = self._validate(raw)
        except ValidationError as error:
            event = self._read_again(raw, error)
        time, received, faults = self._check(event)
        if faults or not nothing_left(raw, event):
            faults += leftovers(raw, event)
            if faults:
                raise self._refused(faults, raw, getattr(event, "subject", None))
        return Logged(event, time, received)

    def is_ours(self, subject: object) -> bool:
        """Whether a value is a subject id of the trial's pattern."""
        return self._acceptance.is_ours(subject)

    def read(self, raw: bytes) -> Logged | EventRefused:
        """The event, or why it is refused: for those who put aside what they cannot take, and go on."""
        try:
            return self.decode(raw)
        except EventRefused as refusal:
            return refusal

    def encode(self, event: AnyEvent) -> bytes:
        """The event as one line without its end. What was absent stays absent, and what was null stays null."""
        return EVENT_ADAPTER.dump_json(event, by_alias=True, exclude_unset=True)

    def _with_plain_data(self, raw: bytes) -> bytes:
        try:
            return with_plain_data(raw)
        except BadBase64 as error:
            parsed = exact(raw)
            raise self._refused([Fault(DATA_BASE64, str(error))], raw, parsed.get("subject")) from None

    def _read_again(self, raw: bytes, error: ValidationError) -> AnyEvent:
        """The event after all, where only a whole number was written as ``3.0``; else raises the refusal."""
        try:
            parsed = exact(raw)
        except BrokenJsonError as broken:
            raise self._refused([Fault("", str(broken), NotJson)], raw, None) from None
        details = error.errors(include_url=False)
        if details[0]["type"] == "json_invalid":
            raise self._refused([Fault("", complaint(details[0]["msg"]), NotJson)], raw, None) from None
        repairs = whole_floats(error)
        for path, number in repairs:
            _put(parsed, path, number)
        if repairs:
            try:
                return self._validate(json.dumps(parsed))
            except ValidationError as remaining:
                error = remaining
        subject = parsed.get("subject") if isinstance(parsed, dict) else None
        raise self._refused(faults_of(error, parsed), raw, subject) from None

    def _refused(self, faults: list[Fault], raw: bytes, subject: object) -> EventRefused:
        event_id = readable_id(raw)
        if self._acceptance.is_ours(subject):
            return refusal(faults, event_id, str(subject))
        if isinstance(subject, str) and len(subject) >= NAME_CHARS_MIN:
            # It may be a name or a birth date, and site systems like to build their ids on it.
            faults = [fault._replace(message=fault.message.replace(subject, MASK)) for fault in faults]
            event_id = event_id.replace(subject, MASK) if event_id is not None else None
        return refusal(faults, event_id, None)


def _put(value: Any, path: tuple[str | int, ...], number: int) -> None:
    for part in path[:-1]:
        value = value[part]
    value[path[-1]] = number
