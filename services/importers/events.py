"""From a draft to an event as one line: the envelope, a derived id, and the check of the whole by the codec."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Final

from events.acceptance import TrialContract
from events.codec import Codec
from events.errors import EventRefused
from services.importers.drafts import REVISION, EventDraft
from services.importers.study import Study

_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
DIGEST_BYTES: Final = 5


class DraftWriter:
    """Writes drafts as events. What all events of one type about one subject share is worked out once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._shared: dict[tuple[str, str], tuple[str, str]] = {}

    def line(self, draft: EventDraft) -> bytes:
        """The event without its line end.

        The id says what it names, and ends with a digest of what is said: the same row of a later extract gives the
        same id only while it says the same, so that a redelivery is a duplicate and a correction is not refused as one.
        """
        shared = self._shared.get((draft.type, draft.subject))
        if shared is None:
            shared = self._shared[draft.type, draft.subject] = self._about(draft)
        before, after = shared
        data = _ENCODE(draft.data)
        time = draft.recorded.text
        digest = blake2b(f"{time} {data}".encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()
        parts = (draft.subject, draft.kind, draft.record, f"r{draft.data[REVISION]}", digest)
        event_id = _ENCODE(".".join(part for part in parts if part))
        line = f'{{"specversion":"1.0","id":{event_id},{before},"time":"{time}",{after},"data":{data}}}'
        # Half a character (an unpaired surrogate) is for the codec to refuse, with its own words.
        return line.encode("utf-8", "surrogatepass")

    def _about(self, draft: EventDraft) -> tuple[str, str]:
        source = self._study.source(draft.site)
        before = {"source": source, "type": draft.type, "subject": draft.subject}
        after = {"trial": self._study.trial, "site": draft.site}
        return _ENCODE(before)[1:-1], _ENCODE(after)[1:-1]


class Validator:
    """The project's own reader of events, asked before an event is written."""

    def __init__(self, contract: TrialContract) -> None:
        self._decode = Codec(contract).decode

    def validate(self, event: bytes) -> EventRefused | None:
        """Why the event would be refused, or None."""
        try:
            self._decode(event)
        except EventRefused as refused:
            return refused
        return None
