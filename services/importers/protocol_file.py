"""The configuration of a protocol for an imported study: the clauses of its base over the study's own drugs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.importers.study import UTC, Study


def protocol_of(study: Study) -> dict[str, Any] | None:
    """What `--protocol` takes; None where the mapping names no drug, without which there is no day 1."""
    mapping = study.mapping
    if not mapping.study_drugs or study.trial is None:
        return None
    return {
        "base": mapping.base,
        "name": mapping.name,
        "trial": study.trial,
        "subject_pattern": mapping.subject_pattern,
        "drugs": list(mapping.study_drugs),
        "time_zone": mapping.time_zone or UTC,
        **({"title": mapping.title} if mapping.title else {}),
    }


def write_protocol(path: Path, protocol: dict[str, Any]) -> None:
    """As JSON, readable."""
    path.write_text(json.dumps(protocol, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
