"""The top-level names are ours alone: a distribution called ``events`` exists, and would hide or be hidden."""

from __future__ import annotations

import importlib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT


@pytest.mark.parametrize("package", PACKAGES)
def test_the_name_is_provided_by_this_distribution_alone(package: str) -> None:
    """Nobody else's distribution in this environment has it."""
    assert set(packages_distributions().get(package, ())) == {"toxwatch"}


def test_the_distribution_provides_nothing_else() -> None:
    """Neither the tests nor the deployment are installed."""
    assert sorted(name for name, owners in packages_distributions().items() if "toxwatch" in owners) == sorted(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_package_that_is_imported_is_the_one_in_this_checkout(package: str) -> None:
    """Or the tests would judge other code than the one beside them."""
    assert Path(importlib.import_module(package).__path__[0]).resolve() == ROOT / package


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_directory_has_an_init(package: str) -> None:
    """A directory without one is missing from the wheel."""
    directories = {
        parent for path in (ROOT / package).rglob("*.py") for parent in path.parents if ROOT in parent.parents
    }
    assert directories
    assert [d.relative_to(ROOT).as_posix() for d in sorted(directories) if not (d / "__init__.py").is_file()] == []
