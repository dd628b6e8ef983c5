"""What the local stack does where something is not as it should be; and that it reads addresses and paths as docker would."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

from tests.crash.deployment import eventually
from tests.local_stack.compose import Service, load_compose, services_of
from tests.local_stack.places import Addresses, Places
from tests.local_stack.stack import Stack, StackError

SERVICES = {service.name: service for service in services_of(load_compose({}))}


def _shell(name: str, script: str, **changed: object) -> Service:
    plain: dict[str, object] = {"environment": {}, "depends_on": {}, "check": [], "files": {}, "published": {}}
    return dataclasses.replace(
        SERVICES["migrate"], name=name, program=["/bin/sh", "-ec", script], **{**plain, **changed}
    )


def _stack(home: Path, *services: Service) -> tuple[Stack, list[str]]:
    said: list[str] = []
    return Stack(services, Places(home, Addresses(services)), said.append), said


def test_the_services_come_after_what_they_depend_on() -> None:
    """Brokers and database, then topics and tables, then whoever works with them."""
    order = list(SERVICES)
    assert max(order.index("kafka"), order.index("postgres")) < min(order.index("topics"), order.index("migrate"))
    assert max(order.index("topics"), order.index("migrate")) < min(map(order.index, ("gateway", "clock", "monitor-2")))


def test_an_address_is_that_of_this_machine() -> None:
    """Another service's, and one's own under any of the names of a container; ``localhost`` is this machine already."""
    addresses = Addresses(SERVICES.values())
    kafka, own = addresses.port("kafka", 19092), addresses.port("kafka", 9093)
    assert addresses.port("gateway", 8080) == 8080
    assert addresses.local("kafka://kafka:19092", "clock") == f"kafka://127.0.0.1:{kafka}"
    assert addresses.local("A://:19092,B://0.0.0.0:9093", "kafka") == f"A://127.0.0.1:{kafka},B://127.0.0.1:{own}"
    assert addresses.local("1@kafka:9093", "kafka") == f"1@127.0.0.1:{own}"
    unchanged = "B://localhost:9092 my-kafka:9092 30:15"
    assert addresses.local(unchanged, "kafka") == unchanged


def test_a_path_is_where_the_file_was_laid(tmp_path: Path) -> None:
    """Whole paths only, and what is mounted has the addresses of here."""
    places = Places(tmp_path, Addresses(SERVICES.values()))
    places.lay(SERVICES["prometheus"])
    config = Path(places.local("/etc/prometheus/prometheus.yml", SERVICES["prometheus"]))
    assert f"127.0.0.1:{places.addresses.port('monitor-2', 9464)}" in config.read_text()
    assert "monitor-2:9464" not in config.read_text()
    assert places.local("--path=/prometheus", SERVICES["prometheus"]) == f"--path={tmp_path}/volumes/prometheus-data"
    assert places.local("/etc/prometheus-2", SERVICES["prometheus"]) == "/etc/prometheus-2"


def test_what_is_done_once_and_fails_ends_the_start_with_its_words(tmp_path: Path) -> None:
    """Rather than waiting until the time is up."""
    stack, _ = _stack(
        tmp_path,
        _shell("first", "echo why it failed; exit 3"),
        _shell("second", "true", depends_on={"first": "service_completed_successfully"}),
    )
    with pytest.raises(StackError, match="why it failed"):
        stack.start()
    stack.end()
    assert "second" not in stack.running


def test_a_program_that_others_need_must_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody needs is left out, and that is said."""
    monkeypatch.setattr("shutil.which", lambda _name: None)
    stack, said = _stack(tmp_path, SERVICES["prometheus"])
    stack.start()
    assert said == ["prometheus: left out, since here is no Prometheus (Debian: prometheus)"]
    needing = _shell("needing", "true", depends_on={"prometheus": "service_healthy"})
    with pytest.raises(StackError, match="prometheus needs"):
        _stack(tmp_path, SERVICES["prometheus"], needing)[0].start()


def test_what_dies_is_started_again_with_growing_pauses_and_what_hangs_is_killed(tmp_path: Path) -> None:
    """As docker does for ``unless-stopped``, and for whoever does not end in time."""
    stack, said = _stack(
        tmp_path,
        _shell("dies", f"echo begun >> {tmp_path}/begun; exit 1", restart="unless-stopped"),
        _shell("hangs", "trap '' TERM; while true; do sleep 0.1; done", restart="unless-stopped", grace_seconds=1),
    )

    def run() -> None:
        stack.start()
        stack.watch()

    running = threading.Thread(target=run)
    running.start()
    eventually(lambda: len(said) >= 5)
    stack.stopping.set()
    running.join()
    stack.end()
    assert [line for line in said if "again" in line][:3] == [
        f"dies: ended with 1, and is started again in {pause} s" for pause in (0.2, 0.4, 0.8)
    ]
    assert (tmp_path / "begun").read_text().count("begun") >= 3
    assert "hangs: ended with -9" in said
