"""Starts the stack, says where everything is, and runs it until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from tests.local_stack.compose import ROOT, Service, load_compose, services_of
from tests.local_stack.places import HERE, Addresses, Places
from tests.local_stack.stack import Stack, StackError

#: Every other setting of the services is what a command of `toxwatch` needs to work on the same deployment.
OF_ONE_SERVICE: Final = frozenset({"TOXWATCH_LISTEN", "TOXWATCH_METRICS"})
METRICS_PORT: Final = 9464


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.local_stack", description=__doc__)
    parser.add_argument("--data", type=Path, help="directory of what is kept; without one, nothing is kept")
    with ExitStack() as resources:
        home = parser.parse_args().data or Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="toxwatch")))
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)  # the database is another user's
        subprocess.run(["sh", str(ROOT / "deploy" / "make-secrets"), str(home / "secrets")], check=True)
        given = {**dotenv_values(ROOT / ".env"), **os.environ, "TOXWATCH_SECRETS_DIR": str(home / "secrets")}
        services = services_of(load_compose(given))
        places = Places(home.resolve(), Addresses(services))
        stack = Stack(services, places, _tell)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stack.stopping.set())
        try:
            stack.start()
            if not stack.stopping.is_set():
                _say_where(services, places, stack)
            stack.watch()
        except StackError as error:
            print(f"local stack: {error}", file=sys.stderr)
            return 1
        finally:
            stack.end()
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _say_where(services: list[Service], places: Places, stack: Stack) -> None:
    """Addresses, and the settings for commands of ``toxwatch``, as lines for a shell."""
    for service in services:
        if service.name not in stack.running or service.is_once:
            continue
        said = [f"{HERE}:{port}" for port in service.published.values()]
        if service.kind == "toxwatch":
            said.append(f"http://{HERE}:{places.addresses.port(service.name, METRICS_PORT)}/metrics")
        if said:
            print(f"# {service.name}: {' '.join(said)}")
    gateway = next(service for service in services if service.name == "gateway")
    for name, value in gateway.environment.items():
        if name not in OF_ONE_SERVICE:
            print(f"export {name}={shlex.quote(places.local(value, gateway))}")
    print(f"# logs: {places.home / 'logs'}")
    print("# ready", flush=True)


if __name__ == "__main__":
    sys.exit(main())
