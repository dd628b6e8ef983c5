"""The production profile: everything works under the rights that are declared, and nobody may do more."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import httpx2
import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ACL, ACLOperation, ACLPermissionType, NewTopic, ResourcePattern, ResourceType
from kafka.errors import TopicAuthorizationFailedError
from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.engine import make_url

from events.codec import Logged
from projections.store.engine.tables import alert_events, dead_letters, deliveries, taken_events
from services.dispatcher.delivery import DELIVERED
from services.gateway.keys import add_key
from services.log.kafka_client import Cluster
from services.log.rights import declared_rights
from services.platform import time_source
from tests.brokers import broker_is_installed
from tests.crash.deployment import eventually
from tests.databases import postgresql_directory
from tests.deploy.secured import ADMIN, Authority, SecuredBrokers, give_passwords, secured_postgresql
from tests.distributed.fleet import Fleet
from tests.monitor.events import LASTING, sepsis, treated
from tests.properties.stories import on

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distributed")]

PREFIX: Final = "toxwatch"
LAB: Final = f"{PREFIX}.intake.central-lab"
OTHER: Final = f"{PREFIX}.intake.other-lab"
INTAKE: Final = """
[central-lab]
sites = ["FR01"]
sources = ["urn:site:FR01:edc"]

[other-lab]
sites = ["FR02"]
sources = ["urn:site:FR02:edc"]
"""
SERVICES: Final = {"gateway": "gateway", "monitor-1": "monitor", "clock": "clock", "dispatcher": "dispatcher"}
RIGHTS: Final = declared_rights(PREFIX, ["central-lab", "other-lab"])
USERS: Final = sorted({right.user for right in RIGHTS})
TOPICS: Final = sorted({right.name for right in RIGHTS if right.kind == "TOPIC"})
PASSWORDS: Final = {user: f"password-of-{user}" for user in (*USERS, ADMIN)}
#: What the brokers count among what is said: who reads or writes may describe.
IMPLIED: Final = {"READ": {"READ", "DESCRIBE"}, "WRITE": {"WRITE", "DESCRIBE"}, "DESCRIBE": {"DESCRIBE"}}


class Secured(NamedTuple):
    """A deployment of which nothing runs yet but brokers and database. Its commands are an administrator's."""

    fleet: Fleet
    brokers: SecuredBrokers
    authority: Authority

    def cluster(self, user: str) -> Cluster:
        """The brokers, as one user knows them."""
        return Cluster(self.brokers.servers, user, PASSWORDS[user], self.authority.certificate)

    def environment(self, user: str) -> dict[str, str]:
        """The settings by which a service is that user."""
        file = self.fleet.home / f"{user}.password"
        file.write_text(PASSWORDS[user])
        return {"TOXWATCH_KAFKA_USERNAME": user, "TOXWATCH_KAFKA_PASSWORD_FILE": str(file)}


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    """Made as docs/distributed.md says."""
    if not broker_is_installed() or postgresql_directory() is None:
        pytest.skip("no Apache Kafka broker (make broker), or no PostgreSQL, is installed here")
    with tempfile.TemporaryDirectory(prefix="secured", dir="/tmp", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        home.chmod(0o755)  # the database is another user's
        (home / "intake.toml").write_text(INTAKE)
        authority = Authority(home)
        brokers = SecuredBrokers(home, authority, PASSWORDS[ADMIN])
        with (
            brokers.running(),
            secured_postgresql(home, authority, "password-of-toxwatch") as database,
            Fleet(home, ",".join(brokers.servers), database, PREFIX) as fleet,
        ):
            made = Secured(fleet, brokers, authority)
            fleet.environment["TOXWATCH_INTAKE"] = str(home / "intake.toml")
            fleet.environment["TOXWATCH_KAFKA_CA"] = str(authority.certificate)
            fleet.environment.update(made.environment(ADMIN))
            fleet.make()
            granted = fleet.command("topics", "grant")
            assert (granted.code, len(granted.out.splitlines())) == (0, len(RIGHTS)), granted.err
            give_passwords(made.cluster(ADMIN), USERS, PASSWORDS)
            yield made


def test_everything_is_kept_three_times(secured: Secured) -> None:
    """And two brokers have what was acknowledged. A topic that was made while brokers were away is found."""
    checked = secured.fleet.command("topics", "check")
    assert checked.code == 0, checked.out
    client: Any = KafkaAdminClient(**secured.cluster(ADMIN).options(10))
    described = client.describe_topics(TOPICS)
    client.create_topics([NewTopic("thin.clinical.v1", 4, 1)])
    client.close()
    assert {len(partition["replica_nodes"]) for topic in described for partition in topic["partitions"]} == {3}
    with patch.dict(secured.fleet.environment, TOXWATCH_TOPIC_PREFIX="thin"):
        thin = secured.fleet.command("topics", "check")
    assert "thin.clinical.v1: is on 1 of 3 brokers" in thin.out


def test_who_may_not_administer_is_told_so(secured: Secured) -> None:
    """In a sentence, for each of the commands."""
    with patch.dict(secured.fleet.environment, secured.environment(LAB)):
        for command in ("create", "grant"):
            refused = secured.fleet.command("topics", command)
            assert (refused.code, refused.out) == (1, "")
            assert "AuthorizationFailedError" in refused.err
            assert "Traceback" not in refused.err


def test_each_user_may_do_what_is_declared_and_nothing_else(secured: Secured) -> None:
    """By the brokers' own account: every user with every topic, and none with anything of the cluster."""
    expected: dict[str, dict[str, set[str]]] = {user: {} for user in USERS}
    for right in RIGHTS:
        if right.kind == "TOPIC":
            expected[right.user].setdefault(right.name, set()).update(IMPLIED[right.action])
    assert {user: _may(secured.cluster(user)) for user in USERS} == expected


def test_what_is_not_ones_right_is_refused(secured: Secured) -> None:
    """Tried: a lab writes to its own topic and to no other, and does not read; the clock raises no alert; nobody else appends."""
    assert _written(secured.cluster(LAB), LAB)
    for user, topic in (
        (LAB, OTHER),
        (LAB, f"{PREFIX}.clinical.v1"),
        (f"{PREFIX}.clock", f"{PREFIX}.alerts.v1"),
        (f"{PREFIX}.dispatcher", f"{PREFIX}.clinical.v1"),
        (f"{PREFIX}.gateway", LAB),
    ):
        with pytest.raises(TopicAuthorizationFailedError):
            _written(secured.cluster(user), topic)
    with pytest.raises(TopicAuthorizationFailedError):
        _read(secured.cluster(LAB), LAB)
    assert any(f"User:{PREFIX}.clock is Denied operation = WRITE" in line for line in secured.brokers.denials())


def test_rights_are_given_once_and_what_is_beyond_them_is_said(secured: Secured) -> None:
    """A right that somebody has given by hand is found, and that everybody may do something most of all."""
    again = secured.fleet.command("topics", "grant")
    assert (again.code, again.out) == (0, ""), again.err
    client: Any = KafkaAdminClient(**secured.cluster(ADMIN).options(10))
    topic = ResourcePattern(ResourceType.TOPIC, f"{PREFIX}.alerts.v1")
    acl = ACL("User:*", "*", ACLOperation.READ, ACLPermissionType.ALLOW, topic)
    client.create_acls([acl])
    try:
        told = secured.fleet.command("topics", "grant")
    finally:
        client.delete_acls([acl])
        client.close()
    assert (told.code, told.out) == (1, "")
    assert "beyond what is declared: User:* ALLOW READ TOPIC LITERAL toxwatch.alerts.v1" in told.words


def test_the_database_is_reached_over_tls_alone(secured: Secured) -> None:
    """Whoever comes without it is refused, with the right password too."""
    url = make_url(secured.fleet.database_url).set(query={"sslmode": "disable"}, drivername="postgresql")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(url.render_as_string(hide_password=False))


def test_the_services_work_under_their_rights(secured: Secured) -> None:
    """All become ready; what comes over HTTP and by a laboratory's topic becomes an alert that is delivered; time passes, too."""
    fleet = secured.fleet
    denied_before = len(secured.brokers.denials())
    for name, service in SERVICES.items():
        fleet.begin(name, environment=secured.environment(f"{PREFIX}.{service}"))
    fleet.await_ready(*SERVICES)
    with fleet.database() as database:
        with database.writing() as connection:
            key = add_key(connection, "site", "FR01", "test", time_source.now()).text
        for logged in (*treated("FR01-001"), sepsis("FR01-001", on(4), **LASTING)):
            answer = httpx2.post(
                f"{fleet.url}/v1/events",
                content=_raw(logged),
                headers={"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"},
                timeout=60,
            )
            assert answer.status_code == 202, answer.text
        assert _written(secured.cluster(LAB), LAB, _raw(sepsis("FR01-002", on(6))))
        assert _written(secured.cluster(LAB), LAB, b"no event")

        def count(table: Table, *conditions: ColumnElement[bool]) -> int:
            with database.reading() as connection:
                return connection.scalar(select(func.count()).select_from(table).where(*conditions)) or 0

        for reached in (
            lambda: count(taken_events, taken_events.c.event_id == "FR01-002-ae-1"),
            lambda: count(dead_letters),
            # It lasted for long enough, which nothing but the clock's event says.
            lambda: count(alert_events, alert_events.c.verdict == "met"),
            lambda: count(deliveries, deliveries.c.state == DELIVERED) > 1,
        ):
            eventually(reached, 60, lambda: "".join(fleet.said(name) for name in SERVICES))
    with patch.dict(fleet.environment, secured.environment(f"{PREFIX}.operator")):
        for command in ("verify", "export"):
            done = fleet.command(command)
            assert done.code == 0, done.err
    for name in SERVICES:
        fleet.stop(name)
    assert secured.brokers.denials()[denied_before:] == []


def _raw(logged: Logged) -> bytes:
    return logged.event.model_dump_json(exclude_unset=True).encode()


def _may(cluster: Cluster) -> dict[str, set[str]]:
    """What a user may do with each topic of which he knows."""
    client: Any = KafkaAdminClient(**cluster.options(10))
    described = client.describe_topics()
    client.close()
    return {topic["name"]: set(topic["authorized_operations"]) for topic in described}


def _written(cluster: Cluster, topic: str, value: bytes = b"{}") -> bool:
    producer: Any = KafkaProducer(**cluster.options(10), acks="all", enable_idempotence=False)
    try:
        return bool(producer.send(topic, value).get(20).offset >= 0)
    finally:
        producer.close(timeout=0)


def _read(cluster: Cluster, topic: str) -> None:
    consumer: Any = KafkaConsumer(**cluster.options(10), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.poll(timeout_ms=5000)
    finally:
        consumer.close(autocommit=False)
