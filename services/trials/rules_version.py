"""Which rules judge: the version of the software, the sources of what judges, and the protocol with its configuration."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import rfc8785

from projections.rules.logic.trial_protocol import TrialProtocol
from services.trials.code_hash import hash_of_code

#: The packages whose code and tables decide a verdict.
JUDGING: Final = ("events", "projections.rules", "projections.folds", "projections.ctcae")
_DIGITS: Final = 12


@lru_cache(maxsize=1)
def rules_version() -> str:
    """The version of the software and a hash of what judges: any change of a rule is another version, a comment is none."""
    parts = sorted(_part(path) for package in JUDGING for path in _sources(files(package)))
    digest = hashlib.sha256("\n".join(parts).encode())
    return f"{version('toxwatch')}+{digest.hexdigest()[:_DIGITS]}"


@lru_cache(maxsize=8)
def configuration_hash(protocol: TrialProtocol) -> str:
    """SHA-256 of the protocol's effective configuration and the rules' version, as canonical JSON."""
    effective = {"protocol": _plain(protocol), "rules_version": rules_version()}
    return hashlib.sha256(rfc8785.dumps(json.loads(json.dumps(effective)))).hexdigest()


def _part(path: Traversable) -> str:
    """What one file adds: code as what it does, a table as its name and its bytes."""
    content = path.read_bytes()
    return hash_of_code(content) if path.name.endswith(".py") else f"{path.name} {hashlib.sha256(content).hexdigest()}"


def _sources(package: Traversable) -> list[Traversable]:
    """Every file of a package that decides, those of its sub-packages included."""
    found: list[Traversable] = []
    for path in package.iterdir():
        if path.is_dir():
            found += _sources(path)
        elif path.name.endswith((".py", ".csv", ".json", ".toml", ".txt")):
            found.append(path)
    return found


def _plain(value: Any) -> Any:
    """The value as JSON. A predicate is its name, and the file that it was written in."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if callable(value):
        return [getattr(value, "__qualname__", ""), _hash_of_source(inspect.unwrap(value))]
    return value


def _hash_of_source(function: Callable[..., Any]) -> str:
    """Of the module that declares it, which need not be one of ours."""
    code = getattr(function, "__code__", None)
    path = Path(code.co_filename) if code is not None else None
    return hash_of_code(path.read_bytes()) if path is not None and path.is_file() else ""
