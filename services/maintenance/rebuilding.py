"""A rebuild of one deployment, put together from its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from projections.folds.trial import Trial
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.rebuild.rebuild import Rebuild
from projections.store.write.batch import LogEntry
from services.log.decoding import Decoder
from services.log.port import EventLog
from services.monitor.monitor import CONSUMER
from services.platform.settings import Settings
from services.terminal.options import protocol_of
from services.trials.rules_version import configuration_hash

DIFFERENT: Final = 1


def rebuild_of(settings: Settings, database: Database, log: EventLog) -> Rebuild:
    """A rebuild of this deployment, not yet begun."""
    protocol = protocol_of(settings.protocol)
    rules, read = configuration_hash(protocol), reading_of(log, protocol)
    return Rebuild(database, Trial(protocol, settings.source), rules, read, log.partitions, CONSUMER)


def reading_of(log: EventLog, protocol: TrialProtocol) -> Callable[[int, int, int], Sequence[LogEntry]]:
    """The clinical log as a rebuild reads it: decoded."""
    decoder = Decoder(protocol, log.partitions)

    def read(partition: int, offset: int, limit: int) -> list[LogEntry]:
        return decoder.decode(log.read(partition, offset, limit))

    return read
