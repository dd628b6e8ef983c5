"""What of the trial around an alert a message says beside the alert itself: read as it is planned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from projections.rules.cases.hys_law import CLAUSE as HYS_LAW
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import pieces
from projections.store.engine.tables import alerts
from projections.store.read.zones import zone_of
from projections.store.rows.outbox import OPEN
from services.dispatcher.notice import Notice

#: As much of a clause's wording as a message shows where the protocol has no summary of it.
WORDING_CHARS_MAX: Final = 80


def with_surroundings(connection: Connection, protocol: TrialProtocol, notices: Sequence[Notice]) -> list[Notice]:
    """The notices with the words of their clauses, the number of other open alerts of the subject, and the site's time zone."""
    subjects = {notice.subject for notice in notices if notice.subject is not None}
    zones = {subject: zone_of(connection, protocol, subject).name for subject in (*subjects, None)}
    found = _open_of(connection, subjects)
    return [
        notice.model_copy(
            update={
                "summaries": _summaries(protocol.version_named(notice.protocol_version), notice),
                "zone": zones[notice.subject],
                "others_open": len(found.get(notice.subject, set()) - {notice.alert_id}) if notice.subject else None,
            }
        )
        for notice in notices
    ]


def _summaries(version: TrialProtocol, notice: Notice) -> dict[str, str]:
    """The notice's clauses in a few words, as the version says them that judged."""
    return {
        clause.id: clause.summary or clause.wording[:WORDING_CHARS_MAX]
        for clause in (*version.clauses, HYS_LAW)
        if clause.id in notice.clauses
    }


def _open_of(connection: Connection, subjects: set[str]) -> dict[str, set[str]]:
    """The open alerts of each subject."""
    found: dict[str, set[str]] = {}
    for chunk in pieces(subjects):
        wanted = select(alerts.c.subject, alerts.c.alert_id).where(alerts.c.subject.in_(chunk), alerts.c.state == OPEN)
        for subject, alert_id in connection.execute(wanted):
            found.setdefault(subject, set()).add(alert_id)
    return found
