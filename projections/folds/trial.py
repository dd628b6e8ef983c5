"""One trial as this deployment runs it: its protocol, under which name we publish, and what is derived from the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from projections.rules.logic.trial_protocol import TrialProtocol

#: What entries are about that say which rules are in force: they are in every partition.
PROTOCOL: Final = "protocol"


@dataclass(frozen=True, slots=True)
class Trial:
    """``source`` is the deployment's own, ``urn:toxwatch:<deployment>``: of everything that Toxwatch itself writes."""

    protocol: TrialProtocol
    source: str

    @property
    def id(self) -> str:
        """The trial's id, as events name it: ``NCT02977156``."""
        return self.protocol.trial

    def key_of(self, subject: str) -> str:
        """The key of a subject's entries in both logs."""
        return f"{self.id}/{subject}"

    def key_about(self, what: str) -> str:
        """The key of entries that are about no subject: ``protocol``, ``system``, ``cohort/A/1``."""
        return f"{self.id}/@{what}"

    def envelope(
        self, event_type: str, event_id: str, time: str, data: Any, subject: str | None = None
    ) -> dict[str, Any]:
        """The envelope of an event that Toxwatch writes; without ``subject`` where it is about none."""
        made = {
            "specversion": "1.0",
            "id": event_id,
            "source": self.source,
            "type": event_type,
            "time": time,
            "trial": self.id,
            "data": data,
        }
        return made if subject is None else made | {"subject": subject}
