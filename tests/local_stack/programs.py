"""What an image is as a program of this machine, with the meaning that the image gives to its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.brokers import FAST_START, LIBRARIES, TOOLS, broker_is_installed
from tests.databases import postgresql_directory
from tests.local_stack.compose import ROOT, Service
from tests.local_stack.places import HERE, Places

KAFKA: Final = "KAFKA_"
#: What the image's scripts take for themselves, and do not turn into a property.
KAFKA_OWN: Final = frozenset({"KAFKA_HEAP_OPTS"})


@dataclass(frozen=True)
class Program:
    """A command, and how it is started."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


class NotInstalled(Exception):  # noqa: N818 - reads better where it is caught
    """The machine does not have the program."""


def program_of(service: Service, places: Places) -> Program:
    """The service as a program; what its image does before it is done. Raises :class:`NotInstalled`."""
    environment = {name: places.local(value, service) for name, value in service.environment.items()}
    return _KINDS[service.kind](service, places, environment)


def check_of(service: Service, places: Places) -> Program | None:
    """The service's own health check; None where its program is one of the image's that this machine does not have."""
    if not service.check or shutil.which(service.check[0]) is None:
        return None
    return Program([places.local(word, service) for word in service.check], _on_path({}))


def properties_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The properties of a broker, as the image makes them of its environment."""

    def named(variable: str) -> str:
        plain = variable.removeprefix(KAFKA).lower()
        return plain.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")

    return {
        named(name): value for name, value in environment.items() if name.startswith(KAFKA) and name not in KAFKA_OWN
    }


def database_owner(data: Path) -> dict[str, Any]:
    """How a process is started that works on a database's directory: not as root, whom the server refuses."""
    if os.geteuid() != 0:
        return {"cwd": data}
    shutil.chown(data, "postgres", "postgres")
    return {"cwd": data, "user": "postgres", "group": "postgres"}


def make_database_cluster(data: Path, user: str, password: Path, database: str, given: Sequence[str] = ()) -> None:
    """As the image makes one: a superuser with a password, and a database."""
    programs, options = postgresql_directory(), database_owner(data)
    assert programs is not None
    making = [programs / "initdb", "-D", data, "-U", user, "-A", "scram-sha-256", "--pwfile", password, *given]
    _run(Program([*map(str, making)], {}, options))
    single = [str(programs / "postgres"), "--single", "-D", str(data), "postgres"]
    _run(Program(single, {}, options), f'CREATE DATABASE "{database}"'.encode())


def _toxwatch(service: Service, places: Places, environment: dict[str, str]) -> Program:
    # The entry point of the image, where the file names no other.
    argv = service.program if service.program[0].startswith("/") else ["toxwatch", *service.program]
    return Program([places.local(word, service) for word in argv], _on_path(environment))


def _kafka(service: Service, places: Places, environment: dict[str, str]) -> Program:
    if not broker_is_installed():
        raise NotInstalled("the jars of Apache Kafka (make broker) and a Java to run them")
    properties = properties_of(environment)
    config = places.home / "server.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    heap = environment["KAFKA_HEAP_OPTS"].split()
    java = ["java", *FAST_START, *heap, f"-Dlog4j2.configurationFile={TOOLS / 'log4j2.properties'}"]
    java += ["-cp", f"{LIBRARIES}/*"]
    if not Path(properties["log.dirs"], "meta.properties").exists():
        cluster = environment["CLUSTER_ID"]
        _run(Program([*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]))
    return Program([*java, "kafka.Kafka", str(config)])


def _postgres(service: Service, places: Places, environment: dict[str, str]) -> Program:
    programs = postgresql_directory()
    if programs is None:
        raise NotInstalled("PostgreSQL (Debian: postgresql; elsewhere set PGBIN)")
    (data,) = (places.home / "volumes" / source for source in service.volumes.values())
    options = database_owner(data)
    if not (data / "PG_VERSION").exists():
        given = environment["POSTGRES_INITDB_ARGS"].split()
        user, password = environment["POSTGRES_USER"], Path(environment["POSTGRES_PASSWORD_FILE"])
        make_database_cluster(data, user, password, environment["POSTGRES_DB"], given)
    served = [str(programs / "postgres"), "-D", str(data), "-c", f"listen_addresses={HERE}"]
    served += ["-c", f"port={places.addresses.port(service.name, 5432)}", "-c", "unix_socket_directories="]
    return Program(served, {}, options)


def _prometheus(service: Service, places: Places, environment: dict[str, str]) -> Program:
    if shutil.which("prometheus") is None:
        raise NotInstalled("Prometheus (Debian: prometheus)")
    return Program(["prometheus", *(places.local(word, service) for word in service.program)], environment)


_KINDS: Final[dict[str, Callable[[Service, Places, dict[str, str]], Program]]] = {
    "kafka": _kafka,
    "postgres": _postgres,
    "prometheus": _prometheus,
    "toxwatch": _toxwatch,
}


def _on_path(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program that finds ours, and the Python that it runs on, by their names."""
    return {**environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def _run(program: Program, stdin: bytes = b"") -> None:
    done = subprocess.run(program.argv, input=stdin, capture_output=True, check=False, **program.options)
    if done.returncode:
        raise RuntimeError(f"{program.argv[0]}: {done.stderr.decode(errors='replace')[-2000:]}")
