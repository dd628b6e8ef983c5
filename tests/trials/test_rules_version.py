"""Which rules judge: another configuration, or other rules, are another hash; the same are the same."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

from projections.protocols.isi_jx import PROTOCOL
from services.trials.rules_version import configuration_hash, rules_version


def test_the_same_configuration_has_the_same_hash() -> None:
    assert configuration_hash(PROTOCOL) == configuration_hash(replace(PROTOCOL))


def test_every_part_of_the_configuration_counts() -> None:
    others = [
        replace(PROTOCOL, window_days=36),
        replace(PROTOCOL, version="2"),
        replace(PROTOCOL, drugs=(*PROTOCOL.drugs, "third")),
        replace(PROTOCOL, time_zone="Europe/London"),
        replace(PROTOCOL, clauses=PROTOCOL.clauses[::-1]),
        replace(PROTOCOL, assumptions=replace(PROTOCOL.assumptions, stopping_lookback_days=8)),
        replace(PROTOCOL, major_organs=frozenset({"heart"})),
    ]
    assert len({configuration_hash(protocol) for protocol in [PROTOCOL, *others]}) == len(others) + 1


def test_the_version_names_the_software_and_its_sources() -> None:
    name, _, digest = rules_version().partition("+")
    assert name == version("toxwatch")
    assert len(bytes.fromhex(digest)) == 6
