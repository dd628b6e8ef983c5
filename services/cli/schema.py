"""``toxwatch schema``: the JSON Schema of an event type, or of what a webhook posts, as published."""

from __future__ import annotations

import difflib
import json
from typing import Annotated

import typer

from events.catalog import CLASS_BY_TYPE
from events.schema_files import schema_of
from services.dispatcher.channels import webhook_body


def schema(
    type: Annotated[  # noqa: A002 - the argument's own name
        str | None, typer.Argument(metavar="[TYPE]", help="An event type, such as toxwatch.ae.reported.v1.")
    ] = None,
) -> None:
    """Print the JSON Schema of an event type or of the webhook body; without a name, list them."""
    names = sorted([*CLASS_BY_TYPE, webhook_body.NAME])
    if type is None:
        typer.echo("\n".join(names))
        return
    if type not in names:
        near = difflib.get_close_matches(type, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise typer.BadParameter(f"there is no event type {type!r}{hint}", param_hint="TYPE")
    found = webhook_body.schema() if type == webhook_body.NAME else schema_of(CLASS_BY_TYPE[type], type)
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
