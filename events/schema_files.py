"""The JSON Schema (2020-12) of every event type, generated from the models and checked in beside this file.

``python -m events.schema_files`` writes them again. A schema says what has a shape; the rules that look at more than
one field, or at the trial, are :mod:`events.acceptance`'s.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from events.catalog import CLASS_BY_TYPE
from events.envelope import Envelope

DIRECTORY: Final = Path(__file__).parent / "schema"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_of(event_class: type[Envelope], name: str) -> dict[str, Any]:
    """The schema of one type of event, envelope included."""
    return {"$schema": DIALECT, "$id": f"urn:toxwatch:schema:{name}", **event_class.model_json_schema(by_alias=True)}


def schema_texts() -> dict[str, str]:
    """What the files must contain, by file name."""
    return {
        f"{name}.json": json.dumps(schema_of(cls, name), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for name, cls in CLASS_BY_TYPE.items()
    }


def write(directory: Path = DIRECTORY) -> None:
    """Write every schema, and remove those of types that there no longer are."""
    directory.mkdir(exist_ok=True)
    texts = schema_texts()
    for path in directory.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
