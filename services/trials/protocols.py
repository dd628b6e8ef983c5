"""Finding the protocol that ``--protocol`` names: one that comes with Toxwatch, a module, or a configuration file.

A configuration file (TOML or JSON) takes the clauses of a protocol and replaces its configuration:
``base = "isi-jx"`` and any of the fields of ``protocol_files``. A module is Python that declares ``PROTOCOL``.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Final

from events.errors import ToxwatchError
from projections.protocols import isi_jx, made_up
from projections.rules.escalation.cohort_designs import DESIGNS
from projections.rules.logic.trial_protocol import TrialProtocol
from services.trials.protocol_files import ProtocolFile, amended, configured, read_protocol_file

BUNDLED: Final[dict[str, TrialProtocol]] = {page.PROTOCOL.name: page.PROTOCOL for page in (isi_jx, made_up)}
CONFIGURATION: Final = (".json", ".toml")


class ProtocolError(ToxwatchError):
    """There is no such protocol, or its configuration is not valid."""


def find_protocol(named: str, through: tuple[str, ...] = ()) -> TrialProtocol:
    """The protocol that ``named`` means. Raises :class:`ProtocolError` with a sentence.

    ``through`` are the configuration files that stand on it.
    """
    bundled = BUNDLED.get(named)
    if bundled is not None:
        return bundled
    path = Path(named)
    try:
        if path.suffix in CONFIGURATION:
            if named in through:
                raise ValueError("base: the configuration stands on itself")
            protocol = _configured(read_protocol_file(path), (*through, named))
        elif path.suffix == ".py":
            protocol = _declared(path)
        else:
            protocol = _imported(named)
        for version in protocol.versions:
            if version.cohort_design not in DESIGNS:
                raise ValueError(f"cohort_design: {version.cohort_design!r} is not one of {list(DESIGNS)}")
    except (OSError, ValueError, SyntaxError, ImportError) as error:
        raise ProtocolError(f"protocol {named!r}: {error}") from error
    return protocol


def _beside(base: str, through: tuple[str, ...]) -> str:
    """What ``base`` names: a file beside the configuration that stands on it, where there is one."""
    beside = Path(through[-1]).parent / base
    return str(beside) if base not in BUNDLED and beside.is_file() else base


def _configured(file: ProtocolFile, through: tuple[str, ...]) -> TrialProtocol:
    """The base protocol with a file's configuration. ``through`` are the files that led here, it the last."""
    protocol = configured(find_protocol(_beside(file.base, through), through), file)
    for amendment in file.amendment:
        clauses_of = amendment.clauses_of
        other = None if clauses_of is None else find_protocol(_beside(clauses_of, through), through)
        protocol = amended(protocol, amendment, other)
    return protocol


def _declared(path: Path) -> TrialProtocol:
    spec = importlib.util.spec_from_file_location(f"protocol_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return _protocol_of(module, str(path))


def _imported(named: str) -> TrialProtocol:
    if (
        not all(part.isidentifier() for part in named.split("."))
        or importlib.util.find_spec(named.split(".")[0]) is None
    ):
        raise ValueError(f"neither one of ours ({', '.join(sorted(BUNDLED))}), nor a file, nor a module")
    return _protocol_of(importlib.import_module(named), named)


def _protocol_of(module: object, named: str) -> TrialProtocol:
    protocol = getattr(module, "PROTOCOL", None)
    if not isinstance(protocol, TrialProtocol):
        raise ValueError(f"{named} declares no PROTOCOL")
    return protocol
