"""What one event must be for one caller to write it: rules that need nothing but the event (integrating.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from events.acceptance import AHEAD_TOLERATED, OWN_SOURCES
from events.alert import AlertEvent
from events.catalog import AnyEvent
from events.clock import ClockReached, ProtocolActivated
from events.codec import Logged
from events.dates import Instant, format_instant
from events.errors import BadField, EventRefused, ForeignSource
from events.faults import show
from projections.folds.trial import Trial
from services.gateway.sources import any_matches, fault_of_source, is_of_people, matches, site_named_by
from services.http.caller import Caller, Role

WRITERS: Final = (Role.SITE, Role.SPONSOR)
#: What the sponsor writes, and, of these, what no site does.
SPONSOR_ONLY: Final = ("toxwatch.cohort.", "toxwatch.report.", "toxwatch.query.asked.", "toxwatch.record.redacted.")
SPONSOR_TYPES: Final = ("toxwatch.dlt.", *SPONSOR_ONLY)
#: What is said of a source or subject that the key may not write from or about: no more, or it would tell whose it is.
NOT_THIS_KEYS: Final = "this key may not write it"


class OutsideAuthority(EventRefused):
    """The key may not write this event."""

    reason: ClassVar[str] = "outside-authority"


class Authority:
    """Who may write what, of the events of one trial. ``source`` is the deployment's, ``urn:toxwatch:<deployment>``.

    ``assigned`` are the sites of each source that an operator has assigned; the intake keeps it current.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._deployment = trial.source.removeprefix(OWN_SOURCES)
        self.assigned: Mapping[str, frozenset[str]] = {}
        #: Whether the id of a subject says whose it is, and the event was checked against that when it was read.
        self.subject_names_site: Final = "site" in re.compile(trial.protocol.subject_pattern).groupindex

    def check_role(self, caller: Caller) -> None:
        """Raises :class:`OutsideAuthority` where the caller may write nothing at all."""
        if caller.role not in WRITERS:
            raise OutsideAuthority(f"a {caller.role} key writes no events")

    def check(self, caller: Caller, logged: Logged, now: Instant) -> None:
        """Raises ``EventRefused`` where the caller may not write the event, or nobody may send it."""
        event = logged.event
        self._check_own(event)
        self._check_source(event)
        if caller.role == Role.SPONSOR:
            self._check_sponsor(caller, event)
        else:
            self._check_site(caller, event)
        if "receivedtime" in event.model_fields_set:
            raise _bad(event, "receivedtime", "is stamped by Toxwatch when it takes the event; leave it out")
        if logged.time > now + AHEAD_TOLERATED:
            rule = f"{show(event.time)} is more than 15 min ahead of the gateway's clock, {format_instant(now)}"
            raise _bad(event, "time", rule)

    def _check_own(self, event: AnyEvent) -> None:
        if isinstance(event, ClockReached | ProtocolActivated | AlertEvent):
            raise _foreign(event, f"type: only Toxwatch itself publishes {event.type}")
        if event.source.startswith(OWN_SOURCES):
            raise _foreign(event, f"source: {show(event.source)} is Toxwatch's own; name the sending system")

    def _check_source(self, event: AnyEvent) -> None:
        fault = fault_of_source(event.source)
        if fault is not None:
            raise _bad(event, "source", f"{show(event.source)}: {fault}")
        if is_of_people(event.source, self._deployment):
            raise outside(event, f"source: {NOT_THIS_KEYS}")

    def _check_sponsor(self, caller: Caller, event: AnyEvent) -> None:
        if not event.type.startswith(SPONSOR_TYPES):
            raise outside(
                event, f"type: a sponsor key writes {', '.join(f'{name}*' for name in SPONSOR_TYPES)}; not {event.type}"
            )
        if not self._is_sponsors(caller, event.source):
            raise outside(event, f"source: {NOT_THIS_KEYS}")

    def _check_site(self, caller: Caller, event: AnyEvent) -> None:
        site = getattr(event, "site", None)
        if site not in caller.sites:
            named = f"not the site of this key ({caller.site})"
            if caller.more_sites:
                named = f"not one of the sites of this key ({', '.join(caller.sites)})"
            raise outside(event, f"site: {show(site)} is {named}")
        if event.type.startswith(SPONSOR_ONLY):
            raise outside(event, f"type: no site's key writes {event.type}")
        is_others = self._trial.protocol.is_sponsor(event.source) or self._trial.protocol.is_committee(event.source)
        is_foreign = is_others or site_named_by(event.source) not in (None, site)
        if is_foreign or not self._may_write_from(caller, event.source, site):
            raise outside(event, f"source: {NOT_THIS_KEYS}")

    def _is_sponsors(self, caller: Caller, source: str) -> bool:
        """Where a party signs from its own source, the committee's is nobody's whose key does not name it."""
        protocol = self._trial.protocol
        if caller.sources is not None:
            return any_matches(caller.sources, source) and (
                protocol.is_sponsor(source) or protocol.is_committee(source)
            )
        return protocol.is_sponsor(source) and not (protocol.signatures == "own" and protocol.is_committee(source))

    def _may_write_from(self, caller: Caller, source: str, site: str) -> bool:
        shared = {**dict(self._trial.protocol.shared_sources), **self.assigned}
        sites = [found for pattern, found in shared.items() if matches(pattern, source)]
        return any(site in found for found in sites) if sites else any_matches(caller.patterns, source)


def outside(event: AnyEvent, error: str) -> OutsideAuthority:
    """The refusal of an event that the key may not write; the field is the word before the colon."""
    return OutsideAuthority(error, field=error.partition(":")[0], event_id=event.id, subject=_subject(event))


def _foreign(event: AnyEvent, error: str) -> ForeignSource:
    return ForeignSource(error, field=error.partition(":")[0], event_id=event.id, subject=_subject(event))


def _bad(event: AnyEvent, field: str, rule: str) -> BadField:
    return BadField(f"{field}: {rule}", field=field, event_id=event.id, subject=_subject(event))


def _subject(event: AnyEvent) -> str | None:
    return None if isinstance(event, ProtocolActivated) else event.subject
