"""The files of a deployment are valid for those who read them, and agree with each other and with the code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from dotenv import dotenv_values

from projections.protocols.isi_jx import PROTOCOL
from services.dispatcher.recipients import load_recipients
from services.gateway.intake_topics import load_intake_topics
from services.log.rights import declared_rights
from services.platform.metrics import FROM_STORE, IN_PROCESS
from services.platform.settings import Settings, read_settings
from tests.local_stack.compose import COMPOSE_FILE, ROOT, VARIABLE, load_compose, services_of

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]
]
SERVICES = services_of(load_compose({}))
#: What Prometheus reads of a histogram or a counter.
SUFFIXES = ("_bucket", "_count", "_sum")


def _run(*argv: str | Path, cwd: Path = ROOT) -> None:
    done = subprocess.run([*map(str, argv)], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def _beside_python(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def test_the_dockerfile_is_clean() -> None:
    """As hadolint sees it."""
    _run(_beside_python("hadolint"), "--no-color", "deploy/Dockerfile")


def test_the_compose_file_is_one() -> None:
    """As the Compose specification has it, and what is named in it is in it."""
    _run(_beside_python("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE_FILE)
    names = {service.name for service in SERVICES}
    compose = load_compose({})
    for service in SERVICES:
        assert service.depends_on.keys() <= names
        assert set(service.volumes.values()) <= compose["volumes"].keys()


def test_what_may_be_told_is_in_the_example_with_its_default() -> None:
    """``deploy/env.example`` names every variable of the compose file, and no other."""
    used = {found["name"]: found["default"] for found in VARIABLE.finditer(COMPOSE_FILE.read_text())}
    assert dotenv_values(ROOT / "deploy" / "env.example") == used


def test_nothing_is_published_but_to_this_machine() -> None:
    """And metrics not at all."""
    published = [port for said in load_compose({})["services"].values() for port in said.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not [port for port in published if port.endswith(":9464")]


@pytest.mark.parametrize("service", [s for s in SERVICES if s.kind == "toxwatch"], ids=lambda service: service.name)
def test_a_service_is_given_settings_that_there_are(service: Any) -> None:
    """A misspelt variable would be passed over without a word."""
    known = {f"TOXWATCH_{name.upper()}" for name in Settings.model_fields} | {"TOXWATCH_CONFIG"}
    assert {name.removesuffix("_FILE") for name in service.environment} <= known


def test_the_configuration_that_is_mounted_is_valid() -> None:
    """Its settings, and the files of recipients and intake topics that they name."""
    settings = read_settings(ROOT / "deploy" / "config" / "toxwatch.toml")
    assert load_recipients(settings.recipients, PROTOCOL)
    assert load_intake_topics(settings.intake) == []


def test_the_settings_for_production_are_valid() -> None:
    """And every user who has rights on the brokers stands in the page, under his name."""
    settings = read_settings(ROOT / "deploy" / "production" / "toxwatch.toml", database="postgresql+psycopg://x@y/z")
    assert len(settings.log.split(",")) == 3
    assert settings.kafka_ca == ROOT / "deploy" / "production" / "ca.pem"
    page = (ROOT / "docs" / "distributed.md").read_text()
    users = {right.user for right in declared_rights(settings.topic_prefix, ["<name>"])}
    assert users == set(re.findall(r"^\| `(toxwatch\.[^`]+)` \| (?:write|read|describe)", page, re.MULTILINE))


def test_the_broker_is_the_one_that_the_tests_run_on() -> None:
    """The image and the jars are of one version."""
    pom = ElementTree.parse(ROOT / "tools" / "kafka" / "pom.xml").getroot()
    versions = {
        dependency.findtext("{*}artifactId"): dependency.findtext("{*}version")
        for dependency in pom.iter()
        if dependency.tag.endswith("dependency")
    }
    (image,) = (service.image for service in SERVICES if service.kind == "kafka")
    assert image == f"apache/kafka:{versions['kafka_2.13']}"


def test_the_image_has_the_pins_that_are_tested() -> None:
    """Those of a server, all of them among those of the tests; nothing that reads files or plays the demonstration."""

    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.partition(" ")[0] for line in lines if "==" in line}

    assert pins("requirements-hashes.txt") < pins("requirements.txt") <= pins("requirements-dev-hashes.txt")
    left_out = {pin.partition("==")[0] for pin in pins("requirements.txt") - pins("requirements-hashes.txt")}
    assert {"pandas", "numpy", "pyreadstat", "odmlib", "fhir-resources", "aiosmtpd"} <= left_out


def test_a_container_has_limits() -> None:
    """Of memory, of processes, and of what its log may grow to: one that runs wild takes no other with it."""
    for name, said in load_compose({})["services"].items():
        assert {"mem_limit", "pids_limit", "logging"} <= said.keys(), name
        assert said["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "config", "embedded.yml"),
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_takes_configuration_and_rules(command: tuple[str, ...]) -> None:
    """And the rules fire when they should, and not when they should not."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian: prometheus) is not installed here")
    _run(promtool, *command, cwd=PROMETHEUS)


def test_every_service_is_scraped() -> None:
    """Or nobody would notice that one is gone."""
    (job,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    targets = [target for one in job["static_configs"] for target in one["targets"]]
    running = [service for service in SERVICES if service.kind == "toxwatch" and not service.is_once]
    assert sorted(targets) == sorted(f"{service.name}:9464" for service in running)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_about_metrics_that_there_are(rule: dict[str, Any]) -> None:
    """And says how bad it is, what it means, and what to do."""
    declared = {one.name for one in (*IN_PROCESS, *FROM_STORE)}
    assert set(_metrics_of(rule["expr"])) <= declared
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "action"}


def test_every_rule_is_seen_to_fire() -> None:
    """In the tests of the rules."""
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert fired == {rule["alert"] for rule in RULES}


def _metrics_of(expression: str) -> Iterator[str]:
    for name in re.findall(r"toxwatch_\w+", expression):
        yield next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    """The same password in both files; run again, nothing changes."""
    script = ROOT / "deploy" / "make-secrets"
    _run("sh", script, tmp_path / "secrets")
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    password = made["postgres-password"]
    assert len(password) == 48
    assert made["database-url"] == f"postgresql+psycopg://toxwatch:{password}@postgres:5432/toxwatch"
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    _run("sh", script, tmp_path / "secrets")
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made
