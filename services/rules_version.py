"""Which rules judge: the version of the software, the sources of what judges, and the protocol with its configuration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import rfc8785

from projections.rules.protocol import Protocol

#: The packages whose code and tables decide a verdict.
JUDGING: Final = ("events", "projections.rules", "projections.folds")
_DIGITS: Final = 12


@lru_cache(maxsize=1)
def rules_version() -> str:
    """The version of the software and a hash of the sources that judge: any change of a rule is another version."""
    digest = hashlib.sha256()
    for package in JUDGING:
        for path in sorted(_sources(files(package)), key=lambda path: path.name):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{version('toxwatch')}+{digest.hexdigest()[:_DIGITS]}"


def configuration_hash(protocol: Protocol) -> str:
    """SHA-256 of the protocol's effective configuration and the rules' version, as canonical JSON."""
    effective = {"protocol": _plain(protocol), "rules_version": rules_version()}
    return hashlib.sha256(rfc8785.dumps(json.loads(json.dumps(effective)))).hexdigest()


def _sources(package: Traversable) -> list[Traversable]:
    return [path for path in package.iterdir() if path.name.endswith((".py", ".csv", ".json", ".toml"))]


def _plain(value: Any) -> Any:
    """The value as JSON: a predicate by its label, for its code is part of the sources."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
    return value
