"""Runs commands of ``toxwatch`` one after another, each in a fork of a process that has imported everything once.

A command takes seconds to import and milliseconds to run. ``python -m tests.interfaces.command_server`` reads requests (JSON, one
a line) from standard input and answers each with the exit code, as the shell would see it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import sys
import traceback
from typing import Any, NoReturn

import typer.rich_utils  # noqa: F401  (imported by the first command that writes help or an error)

import services
from services.cli.main import main


def _import_everything() -> None:
    for module in pkgutil.walk_packages(services.__path__, "services."):
        importlib.import_module(module.name)


def _become(request: dict[str, Any]) -> int:
    """Take the standard streams, the environment and the arguments of the command, and run it; its exit code."""
    for descriptor, (path, flags) in enumerate(
        [
            (request["stdin"], os.O_RDONLY),
            (request["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ]
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.update(request["environment"])
    sys.argv = ["toxwatch", *request["arguments"]]
    try:
        main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except Exception:  # noqa: BLE001  (as the interpreter would: a traceback, and 1)
        traceback.print_exc()
        return 1


def _end(code: int) -> NoReturn:
    """Leave without taking the interpreter apart, which in a fork of this size takes longer than most commands."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve() -> None:
    """Answer requests until standard input ends."""
    _import_everything()
    gc.freeze()
    while line := sys.stdin.readline():
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _end(_become(request))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
