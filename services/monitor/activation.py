"""Which rules judge, from when: ``toxwatch.protocol.activated.v1`` in the clinical log, at the start and on a change."""

from __future__ import annotations

import json
from collections.abc import Callable

from events.catalog import EVENT_ADAPTER
from events.clock import ProtocolActivated
from events.dates import format_instant
from events.identity import derived_id
from projections.rules.protocol import Protocol
from projections.store.database import Database
from projections.store.rules_in_force import put_in_force, rules_in_force
from projections.store.tables import NOBODY
from services.clock.time_source import Clock
from services.log.port import EventLog, NewEntry
from services.rules_version import configuration_hash, rules_version
from services.steps import nothing


def activate(
    database: Database,
    log: EventLog,
    protocol: Protocol,
    clock: Clock,
    source: str,
    passing: Callable[[str], None] = nothing,
) -> bool:
    """Write to the log that these rules are in force, unless they are already; say whether it was written.

    The id is derived from the rules and from those that were in force before.
    """
    sha256 = configuration_hash(protocol)
    with database.writing() as connection:
        latest = rules_in_force(connection)
        if latest is not None and latest.sha256 == sha256:
            return False
        event_id = derived_id("protocol", protocol.trial, sha256, latest.activated_by.id if latest is not None else "")
        received = log.stamp(clock.now(), connection)
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": source,
            "type": "toxwatch.protocol.activated.v1",
            "time": format_instant(received),
            "trial": protocol.trial,
            "data": {
                "protocol": protocol.name,
                "version": protocol.version,
                "rules_version": rules_version(),
                "sha256": sha256,
            },
            "receivedtime": format_instant(received),
        }
        entry = NewEntry(f"{protocol.trial}/@protocol", NOBODY, source, event_id, json.dumps(event).encode())
        log.append([entry], connection)
        # At once, not when the monitor comes to it: what waits before it in the log is judged by these rules already.
        activated = EVENT_ADAPTER.validate_json(entry.body)
        assert isinstance(activated, ProtocolActivated)
        put_in_force(connection, activated, received)
        passing("activation.appended")
    return True
