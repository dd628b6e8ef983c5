"""What is kept of an event that was refused: its bytes, why, and as much of whose it is as can be read."""

from __future__ import annotations

import re

from events.codec import looks_severe
from events.errors import EventRefused, TakingFailed, Unreadable
from events.subject_pattern import ID_CHARS_MAX
from events.triage import readable_record, readable_site, readable_source
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.write.dead_letter_store import GATEWAY, NewDeadLetter
from services.gateway.messages import ReceivedMessage
from services.http.caller import Caller


class DeadLetterWriter:
    """Makes letters of what the events of one trial were refused for."""

    def __init__(self, protocol: TrialProtocol) -> None:
        self._subject_pattern = re.compile(protocol.subject_pattern)

    def letter(self, caller: Caller, message: ReceivedMessage, refusal: EventRefused) -> NewDeadLetter:
        """The letter about a refused event. A subject that is not of the trial's pattern may be a name, and is left out."""
        record = readable_record(message.event)
        is_short = record.subject is not None and len(record.subject) <= ID_CHARS_MAX
        is_ours = is_short and self._subject_pattern.fullmatch(record.subject or "") is not None
        source = readable_source(message.event)
        if record.subject and not is_ours and source is not None and record.subject in source:
            source = None
        return NewDeadLetter(
            origin=GATEWAY,
            reason=refusal.reason,
            error=refusal.error,
            field=refusal.field,
            raw=message.raw,
            is_severe=isinstance(refusal, Unreadable | TakingFailed) or looks_severe(message.event),
            sender=caller.key_id,
            site=caller.site_for(readable_site(message.event)) if caller.more_sites else caller.site,
            subject=record.subject if is_ours else None,
            source=source,
            event_id=refusal.event_id,
            record_kind=record.kind,
            record_id=record.record_id,
            headers=message.headers,
        )
