"""What one event must be for one caller to write it: the gateway's own rules, which need nothing but the event (INTERFACES)."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from events.acceptance import AHEAD_TOLERATED, OWN_SOURCES
from events.alert import AlertEvent
from events.catalog import AnyEvent
from events.clock import ClockReached, ProtocolActivated
from events.codec import Logged
from events.dates import Instant, format_instant
from events.errors import BadField, EventRefused, ForeignSource
from events.faults import show
from projections.rules.protocol import Protocol
from services.gateway.caller import Caller, Role

WRITERS: Final = (Role.SITE, Role.SPONSOR)
#: What the sponsor writes of a subject's events.
SPONSOR_TYPES: Final = "toxwatch.dlt."
#: An index entry of a database is no longer than this, with the subject and what the database adds.
ID_BYTES_MAX: Final = 2400


class OutsideAuthority(EventRefused):
    """The key may not write this event."""

    reason: ClassVar[str] = "outside-authority"


class Authority:
    """Who may write what, of the events of one trial."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        #: Whether the id of a subject says whose it is, and the event was checked against that when it was read.
        self.subject_names_site: Final = "site" in re.compile(protocol.subject_pattern).groupindex

    def check_role(self, caller: Caller) -> None:
        """Raises :class:`OutsideAuthority` where the caller may write nothing at all."""
        if caller.role not in WRITERS:
            raise OutsideAuthority(f"a {caller.role} key writes no events")

    def check(self, caller: Caller, logged: Logged, now: Instant) -> None:
        """Raises ``EventRefused`` where the caller may not write the event, or nobody may send it."""
        event = logged.event
        self._check_own(event)
        if caller.role == Role.SPONSOR:
            self._check_sponsor(event)
        else:
            self._check_site(caller, event)
        if "receivedtime" in event.model_fields_set:
            raise _bad(event, "receivedtime", "is stamped by Toxwatch when it takes the event; leave it out")
        if logged.time > now + AHEAD_TOLERATED:
            rule = f"{show(event.time)} is more than 15 min ahead of the gateway's clock, {format_instant(now)}"
            raise _bad(event, "time", rule)
        for field, text in (("id", event.source + event.id), ("data", event.record_id)):
            size = len(text.encode())
            if size > ID_BYTES_MAX:
                what = "with its source" if field == "id" else "in the id of the record"
                raise _bad(event, field, f"{size} bytes {what}; at most {ID_BYTES_MAX} are taken")

    def _check_own(self, event: AnyEvent) -> None:
        if isinstance(event, ClockReached | ProtocolActivated | AlertEvent):
            raise _foreign(event, f"type: only Toxwatch itself publishes {event.type}")
        if event.source.startswith(OWN_SOURCES):
            raise _foreign(event, f"source: {show(event.source)} is Toxwatch's own; name the sending system")

    def _check_sponsor(self, event: AnyEvent) -> None:
        if not event.type.startswith(SPONSOR_TYPES):
            raise outside(event, f"type: a sponsor key writes {SPONSOR_TYPES}* only, not {event.type}")
        if not self._protocol.is_sponsor(event.source):
            raise outside(event, f"source: {show(event.source)} is none of the sponsor's")

    def _check_site(self, caller: Caller, event: AnyEvent) -> None:
        site = getattr(event, "site", None)
        if site != caller.site:
            raise outside(event, f"site: {show(site)} is not the site of this key ({caller.site})")
        if self._protocol.is_sponsor(event.source):
            raise outside(event, f"source: {show(event.source)} is the sponsor's, and no site writes from it")


def outside(event: AnyEvent, error: str) -> OutsideAuthority:
    """The refusal of an event that the key may not write; the field is the word before the colon."""
    return OutsideAuthority(error, field=error.partition(":")[0], event_id=event.id, subject=_subject(event))


def _foreign(event: AnyEvent, error: str) -> ForeignSource:
    return ForeignSource(error, field=error.partition(":")[0], event_id=event.id, subject=_subject(event))


def _bad(event: AnyEvent, field: str, rule: str) -> BadField:
    return BadField(f"{field}: {rule}", field=field, event_id=event.id, subject=_subject(event))


def _subject(event: AnyEvent) -> str | None:
    return None if isinstance(event, ProtocolActivated) else event.subject
