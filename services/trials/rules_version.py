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

#: The packages whose code and tables decide a verdict.
JUDGING: Final = ("events", "projections.rules", "projections.folds", "projections.ctcae")
_DIGITS: Final = 12


@lru_cache(maxsize=1)
def rules_version() -> str:
    """The version of the software and a hash of the sources that judge: any change of a rule is another version."""
    digest = hashlib.sha256()
    for package in JUDGING:
        for path in sorted(_sources(files(package)), key=str):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{version('toxwatch')}+{digest.hexdigest()[:_DIGITS]}"


@lru_cache(maxsize=8)
def configuration_hash(protocol: TrialProtocol) -> str:
    """SHA-256 of the protocol's effective configuration and the rules' version, as canonical JSON."""
    effective = {"protocol": _plain(protocol), "rules_version": rules_version()}
    return hashlib.sha256(rfc8785.dumps(json.loads(json.dumps(effective)))).hexdigest()


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
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else ""
