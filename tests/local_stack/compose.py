"""docker-compose.yml as data: the services with their own commands and environment, each after those it depends on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
COMPOSE_FILE: Final = ROOT / "docker-compose.yml"
SECRETS: Final = "/run/secrets/"
#: ``${NAME:-default}``, the one form of a variable that the file uses.
VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}")
#: What docker waits for, where nothing else is said.
GRACE_SECONDS: Final = 10


@dataclass(frozen=True)
class Service:
    """One service of the file, with what concerns whoever runs it otherwise than docker does."""

    name: str
    image: str
    program: list[str]
    environment: dict[str, str]
    depends_on: dict[str, str]
    restart: str
    check: list[str]
    published: dict[int, int]
    volumes: dict[str, str]
    files: dict[str, Path]
    stop_signal: str
    grace_seconds: int

    @property
    def is_once(self) -> bool:
        """Whether it does its work and ends."""
        return self.restart == "no"

    @property
    def kind(self) -> str:
        """The name of the image, without whose it is and which version."""
        return self.image.partition(":")[0].rpartition("/")[2]


def load_compose(variables: Mapping[str, str | None]) -> dict[str, Any]:
    """The file with its variables filled in."""

    def value(found: re.Match[str]) -> str:
        return variables.get(found["name"]) or found["default"]

    read: dict[str, Any] = yaml.safe_load(VARIABLE.sub(value, COMPOSE_FILE.read_text(encoding="utf-8")))
    return read


def services_of(compose: Mapping[str, Any]) -> list[Service]:
    """The services in the order in which they can be started."""
    secrets = {name: ROOT / said["file"] for name, said in compose["secrets"].items()}
    found = {name: _service(name, said, secrets) for name, said in compose["services"].items()}
    order = TopologicalSorter({name: service.depends_on for name, service in found.items()}).static_order()
    return [found[name] for name in order]


def _service(name: str, said: Mapping[str, Any], secrets: Mapping[str, Path]) -> Service:
    volumes = dict(_mounted(said.get("volumes", ())))
    is_bound = {target: source.startswith((".", "/")) for target, source in volumes.items()}
    return Service(
        name=name,
        image=said["image"],
        program=[*said.get("entrypoint", ()), *said.get("command", ())],
        environment=said.get("environment", {}),
        depends_on={other: how["condition"] for other, how in said.get("depends_on", {}).items()},
        restart=said["restart"],
        check=said.get("healthcheck", {}).get("test", ["CMD"])[1:],
        published=dict(_published(said.get("ports", ()))),
        volumes={target: source for target, source in volumes.items() if not is_bound[target]},
        files={
            **{target: ROOT / source for target, source in volumes.items() if is_bound[target]},
            **{SECRETS + secret: secrets[secret] for secret in said.get("secrets", ())},
        },
        stop_signal=said.get("stop_signal", "SIGTERM"),
        grace_seconds=int(str(said.get("stop_grace_period", GRACE_SECONDS)).removesuffix("s")),
    )


def _mounted(volumes: list[str]) -> Iterator[tuple[str, str]]:
    for volume in volumes:
        source, target = volume.split(":")[:2]
        yield target, source


def _published(ports: list[str]) -> Iterator[tuple[int, int]]:
    for port in ports:
        _, host, container = port.split(":")
        yield int(container), int(host)
