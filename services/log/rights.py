"""What each service, and each outside producer, may do on the brokers: as data, given by ``toxwatch topics grant`` alone.

The brokers know everybody by a name of the deployment: ``toxwatch.monitor`` is a service, ``toxwatch.intake.central-lab`` whoever
writes to the topic of that name. Nobody needs a right over the cluster: an idempotent producer may write where it may write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from services.log import topics
from services.log.kafka_admin import administered
from services.log.kafka_client import Cluster, LogUnavailable

USER: Final = "User:"
ANY: Final = "*"
#: Who reads and writes may describe, too: how many partitions there are, and where they end.
Action = Literal["READ", "WRITE", "DESCRIBE"]


class Right(NamedTuple):
    """``user`` may do ``action`` with a topic or a consumer group."""

    user: str
    action: Action
    kind: Literal["TOPIC", "GROUP"]
    name: str

    def __str__(self) -> str:
        return f"{self.user} may {self.action} {self.kind} {self.name}"


def declared_rights(prefix: str, intakes: Iterable[str]) -> list[Right]:
    """The rights that there are, and no others. Every service shows how far behind the readers of both logs are."""
    clinical, alerts = topics.clinical(prefix), topics.alerts(prefix)
    incoming = [topics.intake(prefix, name) for name in sorted(intakes)]
    gateway, monitor, clock, dispatcher, operator = (
        f"{prefix}.{service}" for service in ("gateway", "monitor", "clock", "dispatcher", "operator")
    )
    return [
        Right(gateway, "WRITE", "TOPIC", clinical),
        Right(gateway, "READ", "TOPIC", alerts),
        *(Right(gateway, "READ", "TOPIC", topic) for topic in incoming),
        Right(monitor, "READ", "TOPIC", clinical),
        # Which rules are in force.
        Right(monitor, "WRITE", "TOPIC", clinical),
        Right(monitor, "READ", "GROUP", f"{prefix}.monitor"),
        Right(monitor, "WRITE", "TOPIC", alerts),
        Right(monitor, "WRITE", "TOPIC", topics.dead_letters(prefix)),
        Right(clock, "WRITE", "TOPIC", clinical),
        Right(clock, "DESCRIBE", "TOPIC", alerts),
        Right(dispatcher, "READ", "TOPIC", alerts),
        Right(dispatcher, "DESCRIBE", "TOPIC", clinical),
        # Commands that export, verify, rebuild and replay.
        Right(operator, "READ", "TOPIC", clinical),
        Right(operator, "WRITE", "TOPIC", clinical),
        Right(operator, "READ", "TOPIC", alerts),
        # An outside producer writes to his own topic, and does nothing else.
        *(Right(topic, "WRITE", "TOPIC", topic) for topic in incoming),
    ]


class RightsAdmin:
    """Gives rights, and says who has others. Raises :class:`LogUnavailable`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def grant(self, rights: Iterable[Right]) -> list[Right]:
        """Give those that are missing; say which these were."""
        with administered(self._cluster) as client:
            there = {_said(acl) for acl in _all(client)}
            missing = [right for right in rights if _said(_acl(right)) not in there]
            failed = client.create_acls([_acl(right) for right in missing])["failed"] if missing else []
        if failed:
            raise LogUnavailable(f"the brokers at {self._cluster} do not give the rights: {failed[0].__name__}")
        return missing

    def beyond(self, rights: Iterable[Right]) -> Iterator[str]:
        """What somebody may do, a sentence each, with a topic or group of these rights, and is none of them."""
        declared = [_acl(right) for right in rights]
        known = {_said(acl) for acl in declared}
        with administered(self._cluster) as client:
            found = _all(client)
        for acl in found:
            if _said(acl) not in known and any(_covers(acl.resource_pattern, one.resource_pattern) for one in declared):
                yield " ".join(_said(acl))


def _acl(right: Right) -> ACL:
    resource = ResourcePattern(ResourceType[right.kind], right.name, ACLResourcePatternType.LITERAL)
    return ACL(USER + right.user, ANY, ACLOperation[right.action], ACLPermissionType.ALLOW, resource)


def _said(acl: ACL) -> tuple[str, ...]:
    """Equal for equal rights, and fit to be read."""
    resource = acl.resource_pattern
    return (
        acl.principal,
        acl.permission_type.name,
        acl.operation.name,
        resource.resource_type.name,
        resource.pattern_type.name,
        resource.resource_name,
        f"from {acl.host}",
    )


def _all(client: Any) -> list[ACL]:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found: list[ACL] = client.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, anything))[0]
    return found


def _covers(given: ResourcePattern, ours: ResourcePattern) -> bool:
    if given.resource_type != ours.resource_type:
        return False
    if given.pattern_type is ACLResourcePatternType.PREFIXED:
        return bool(ours.resource_name.startswith(given.resource_name))
    return given.resource_name in (ANY, ours.resource_name)
