"""Where a container's addresses and paths are on this machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.brokers import free_port
from tests.local_stack.compose import Service

HERE: Final = "127.0.0.1"


class Addresses:
    """``SERVICE:PORT`` is a port of this machine's: the one under which the file publishes it, or any that is free."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._ports = {(one.name, port): host for one in services for port, host in one.published.items()}
        names = "|".join(re.escape(one.name) for one in services)
        #: ``localhost`` is this machine already. Every other name of one's own is that of the container.
        self._address = re.compile(rf"(?<![\w.-])(?P<host>{names}|0\.0\.0\.0|127\.0\.0\.1|(?<=//)):(?P<port>\d+)")

    def port(self, service: str, port: int) -> int:
        """The port of this machine's that stands for one of a container's."""
        if (service, port) not in self._ports:
            self._ports[service, port] = free_port()
        return self._ports[service, port]

    def local(self, text: str, own: str) -> str:
        """A text of the service ``own``, with every address in it as it is here."""

        def replaced(found: re.Match[str]) -> str:
            host = found["host"] if found["host"] and not found["host"][0].isdigit() else own
            return f"{HERE}:{self.port(host, int(found['port']))}"

        return self._address.sub(replaced, text)


class Places:
    """What a container is given stands under ``home``: its volumes, and copies of its files with the addresses of here."""

    def __init__(self, home: Path, addresses: Addresses) -> None:
        self.home = home
        self.addresses = addresses

    def lay(self, service: Service) -> None:
        """Make them."""
        for source in service.volumes.values():
            (self.home / "volumes" / source).mkdir(parents=True, exist_ok=True)
        for target, given in service.files.items():
            place = self._file(service, target)
            place.parent.mkdir(parents=True, exist_ok=True)
            if given.is_dir():
                shutil.copytree(given, place, dirs_exist_ok=True)
            else:
                shutil.copy(given, place)
            for file in [place] if given.is_file() else [one for one in place.rglob("*") if one.is_file()]:
                file.write_text(self.addresses.local(file.read_text(encoding="utf-8"), service.name), encoding="utf-8")

    def local(self, text: str, service: Service) -> str:
        """A text of the service, with every address and path in it as it is here."""
        here = {target: self.home / "volumes" / source for target, source in service.volumes.items()}
        here.update({target: self._file(service, target) for target in service.files})
        text = self.addresses.local(text, service.name)
        if not here:
            return text
        path = re.compile(rf"(?<![\w./-])({'|'.join(map(re.escape, here))})(?![\w.-])")
        return path.sub(lambda found: str(here[found[0]]), text)

    def log(self, service: Service) -> Path:
        """What it says."""
        directory = self.home / "logs"
        directory.mkdir(parents=True, exist_ok=True)
        return directory / f"{service.name}.log"

    def _file(self, service: Service, target: str) -> Path:
        return self.home / "files" / service.name / target.lstrip("/")
