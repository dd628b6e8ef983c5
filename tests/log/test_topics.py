"""``toxwatch topics``: what is declared is made, and what differs is said."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from services.cli.main import create_app
from services.log import topics
from services.log.kafka_client import Cluster
from tests.cli.command_line import run
from tests.files.command_line import Outcome

DATABASE = "postgresql+psycopg://nobody@/none"
_numbers = count(1)


@pytest.fixture(autouse=True)
def _deployment(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOXWATCH_LOG", f"kafka://{cluster}")
    monkeypatch.setenv("TOXWATCH_DATABASE", DATABASE)
    monkeypatch.setenv("TOXWATCH_TOPIC_PREFIX", f"check-{next(_numbers)}")


def _topics(*arguments: str) -> Outcome:
    return run(create_app(), "topics", *arguments)


def test_what_is_made_is_as_declared() -> None:
    """And made once: a second time nothing is touched."""
    made = _topics("create")
    assert made.code == 0
    assert len(made.out.splitlines()) == 3
    assert _topics("check").code == 0
    assert _topics("create").out == ""


def test_what_is_missing_is_said() -> None:
    """All of it."""
    checked = _topics("check")
    assert checked.code == 1
    assert checked.out.count("is missing") == 3


def test_another_number_of_partitions_and_a_retention_are_said(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would lose events, or scatter a subject's over two partitions."""
    _topics("create")
    prefix = f"check-{next(_numbers) - 1}"
    admin: Any = KafkaAdminClient(bootstrap_servers=str(cluster))
    retention = ConfigResource(ConfigResourceType.TOPIC, topics.clinical(prefix), {"retention.ms": "3600000"})
    admin.alter_configs([retention])
    admin.close()
    monkeypatch.setenv("TOXWATCH_CLINICAL_PARTITIONS", "6")
    deadline = time.monotonic() + 30
    # The brokers take a moment to hear of it from their controller.
    while "retention" not in (checked := _topics("check")).out and time.monotonic() < deadline:
        time.sleep(0.1)
    assert checked.code == 1
    assert "retention.ms is 3600000, not -1" in checked.out
    assert "has 12 partitions, not 6" in checked.out


def test_a_deployment_without_brokers_has_no_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told which setting it lacks."""
    monkeypatch.setenv("TOXWATCH_LOG", "embedded")
    checked = _topics("check")
    assert checked.code == 64
    assert "TOXWATCH_LOG" in checked.err
