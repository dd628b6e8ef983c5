"""A move put together from the settings of both sides."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial

from events.errors import ToxwatchError
from projections.store.engine.database import Database
from services.gateway.intake_topics import load_intake_topics
from services.log import topics
from services.log.kafka import KafkaLog
from services.log.kafka_client import cluster_of
from services.maintenance.rebuilding import rebuild_of
from services.maintenance.relocation.move import Move, MoveReport, Showing, Target
from services.maintenance.relocation.source import held
from services.platform.fail_points import nothing
from services.platform.settings import Settings
from services.platform.time_source import Clock
from services.trials.protocols import find_protocol


class TopicsDiffer(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """The topics are not as declared."""


def move_deployment(
    source: Settings, settings: Settings, clock: Clock, showing: Showing, fail_point: Callable[[str], None] = nothing
) -> MoveReport:
    """Move the deployment of ``source`` to the brokers and the database that ``settings`` name: see :class:`Move`."""
    cluster, prefix = cluster_of(settings), settings.topic_prefix
    intakes = [topic.name for topic in load_intake_topics(settings.intake)]
    declared = topics.declared(prefix, settings.clinical_partitions, intakes)
    if differences := list(topics.TopicAdmin(cluster).differences(declared)):
        raise TopicsDiffer("; ".join(differences))
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(settings.database_url)))
        clinical = stack.enter_context(closing(KafkaLog(cluster, topics.clinical(prefix), "clinical")))
        alerts = stack.enter_context(closing(KafkaLog(cluster, topics.alerts(prefix), "alerts")))
        moved = stack.enter_context(held(source))
        rebuild = partial(rebuild_of, settings, database, clinical)
        protocol = find_protocol(settings.protocol)
        target = Target(database, clinical, alerts)
        return Move(moved, target, protocol, clock, rebuild, showing, fail_point).carry_over()
