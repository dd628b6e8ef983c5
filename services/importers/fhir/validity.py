"""Whether a resource is valid FHIR, by the published models of R4 and R5. One that is not is read all the same, and told of."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Final

from pydantic import ValidationError

from services.importers.fhir.bundles import Json

#: Where the models are: R4B's read R4 as well.
_RELEASES: Final = ("fhir.resources.R4B", "fhir.resources")
Validate = Callable[[Json], object]


def fault_of(kind: str, resource: Json) -> str:
    """What is wrong with a resource by the rules of R4, where it is not valid R5 either; ``""`` where it is valid."""
    faults = [fault for release in _RELEASES if (fault := _fault(release, kind, resource))]
    return faults[0] if len(faults) == len(_RELEASES) else ""


def _fault(release: str, kind: str, resource: Json) -> str:
    try:
        _model(release, kind)(resource)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        # The models themselves stumble over values of a type that they do not expect.
        return f"{type(error).__name__}: {error}"
    return ""


@lru_cache(maxsize=16)
def _model(release: str, kind: str) -> Validate:
    """The model of a kind of resource, loaded when one is read: they are many."""
    model = getattr(import_module(f"{release}.{kind.lower()}"), kind)
    validate: Validate = model.model_validate
    return validate
