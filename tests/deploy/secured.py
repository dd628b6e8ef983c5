"""The production profile on one machine: three brokers with SCRAM, TLS and an authorizer, and PostgreSQL over TLS."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from services.log.kafka_client import Cluster
from tests.brokers import FAST_START, LIBRARIES, START_SECONDS_MAX, TOOLS, free_port
from tests.databases import postgresql_directory
from tests.local_stack.compose import ROOT
from tests.local_stack.programs import database_owner, make_database_cluster

PROFILE: Final = ROOT / "deploy" / "production"
BROKERS: Final = (1, 2, 3)
HERE: Final = "localhost"
ADMIN: Final = "admin"
#: Too small for a real one; iterations are what a password costs whoever guesses it, and a test that waits.
ITERATIONS: Final = 4096
STOP_SECONDS_MAX: Final = 20.0


class Authority:
    """Signs certificates for this machine."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.certificate: Final = home / "ca.pem"
        self._openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test CA"),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", "ca.key", "-out", "ca.pem"),
        )

    def sign(self, name: str) -> tuple[Path, Path]:
        """A private key and a certificate, whose subject is ``CN=<name>``."""
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", "key", "-out", "csr")
        (self._home / "extensions").write_text(f"subjectAltName=DNS:{HERE},IP:127.0.0.1\n")
        self._openssl(
            *("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"),
            *("-extfile", "extensions", "-out", "certificate"),
        )
        signed = (self._home / f"{name}.key", self._home / f"{name}.crt")
        (self._home / "key").rename(signed[0])
        (self._home / "certificate").rename(signed[1])
        return signed

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._home, check=True, capture_output=True)


class SecuredBrokers:
    """Three brokers on ``deploy/production/kafka.properties``, as it is."""

    def __init__(self, home: Path, authority: Authority, admin_password: str) -> None:
        self.logs: Final = [home / f"broker-{number}.log" for number in BROKERS]
        self._processes: list[subprocess.Popen[bytes]] = []
        ports = {number: [free_port() for _ in range(3)] for number in BROKERS}
        self.servers: Final = tuple(f"{HERE}:{clients}" for clients, _, _ in ports.values())
        self._environments = [
            {
                "NODE_ID": str(number),
                **{
                    name: f"{HERE}:{port}" for name, port in zip(("CLIENTS", "BROKERS", "CONTROLLER"), own, strict=True)
                },
                "VOTERS": ",".join(f"{other}@{HERE}:{voting}" for other, (_, _, voting) in ports.items()),
                "SUPER_USERS": ";".join((*(f"User:CN=kafka-{other}" for other in BROKERS), f"User:{ADMIN}")),
                "SECRETS": str(self._secrets(home, authority, number)),
                "DATA": str(home / f"data-{number}"),
            }
            for number, own in ports.items()
        ]
        scram = f"SCRAM-SHA-512=[name={ADMIN},password={admin_password},iterations={ITERATIONS}]"
        formatting = ("kafka.tools.StorageTool", "format", "-t", "oNLNQEdzRJmHLvBHK2XDFA", "--add-scram", scram)
        made = [self._java(number, home / "format.log", *formatting, "-c") for number in BROKERS]
        assert [process.wait(START_SECONDS_MAX) for process in made] == [0, 0, 0], (home / "format.log").read_text()

    @contextmanager
    def running(self) -> Iterator[None]:
        """They serve, all three."""
        try:
            self._start()
            yield
        finally:
            for process in self._processes:
                process.kill()
                process.wait()

    def _start(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        self._processes = [
            self._java(number, log, "kafka.Kafka") for number, log in zip(BROKERS, self.logs, strict=True)
        ]
        for process, log in zip(self._processes, self.logs, strict=True):
            while "Kafka Server started" not in log.read_text(errors="replace"):
                assert process.poll() is None, log.read_text(errors="replace")[-4000:]
                assert time.monotonic() < deadline, log.read_text(errors="replace")[-4000:]
                time.sleep(0.1)

    def denials(self) -> list[str]:
        """What the authorizers have refused, in the order of the brokers."""
        return [line for log in self.logs for line in log.read_text(errors="replace").splitlines() if "Denied" in line]

    def _java(self, number: int, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
        options = ("-Xmx384m", f"-Dlog4j2.configurationFile={TOOLS / 'log4j2.properties'}", "-cp", f"{LIBRARIES}/*")
        with log.open("ab") as output:
            return subprocess.Popen(
                ["java", *FAST_START, *options, *arguments, str(PROFILE / "kafka.properties")],
                env={**os.environ, **self._environments[number - 1]},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @staticmethod
    def _secrets(home: Path, authority: Authority, number: int) -> Path:
        directory = home / f"secrets-{number}"
        directory.mkdir()
        key, certificate = authority.sign(f"kafka-{number}")
        parts = [key, certificate, authority.certificate]
        (directory / "kafka.pem").write_text("".join(part.read_text() for part in parts))
        shutil.copy(authority.certificate, directory / "ca.pem")
        return directory


def give_passwords(cluster: Cluster, users: Sequence[str], passwords: dict[str, str]) -> None:
    """Make the users known to the brokers, as an administrator does with ``kafka-configs.sh``."""
    client: Any = KafkaAdminClient(**cluster.options(10))
    client.alter_user_scram_credentials(
        [
            UserScramCredentialUpsertion(
                user, ScramMechanism.SCRAM_SHA_512, iterations=ITERATIONS, password=passwords[user]
            )
            for user in users
        ]
    )
    client.close()


@contextmanager
def secured_postgresql(home: Path, authority: Authority, password: str) -> Iterator[str]:
    """A server on ``deploy/production/pg_hba.conf``; gives the URL of the database, by which the certificate is checked."""
    programs = postgresql_directory()
    assert programs is not None
    data = home / "postgres"
    data.mkdir()
    given = home / "postgres-password"
    given.write_text(password)
    given.chmod(0o644)
    make_database_cluster(data, "toxwatch", given, "toxwatch", ["--no-sync"])
    options = database_owner(data)
    own = {name: data / name for name in ("server.key", "server.crt", "pg_hba.conf")}
    for source, target in zip((*authority.sign("postgres"), PROFILE / "pg_hba.conf"), own.values(), strict=True):
        shutil.copy(source, target)
        if "user" in options:
            shutil.chown(target, options["user"], options["group"])
        target.chmod(0o600)
    port = free_port()
    settings = {
        "listen_addresses": HERE,
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
        "ssl": "on",
        "ssl_key_file": own["server.key"],
        "ssl_cert_file": own["server.crt"],
        "hba_file": own["pg_hba.conf"],
    }
    command = [str(programs / "postgres"), "-D", str(data)]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (home / "postgres.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, **options)
    try:
        yield (
            f"postgresql+psycopg://toxwatch:{password}@{HERE}:{port}/toxwatch"
            f"?sslmode=verify-full&sslrootcert={authority.certificate}"
        )
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(STOP_SECONDS_MAX)
