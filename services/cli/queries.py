"""``toxwatch queries``: the questions that are open."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from projections.store.read.assessment import open_questions
from projections.store.write.rules_in_force import require_rules
from services.api.query_routes import QueryRow
from services.cli.alerts import OfSubject, checked_subject
from services.platform.printable import printable
from services.terminal.live_options import Config, Data, ListFormat, OutputFormat, ProtocolInForce
from services.terminal.opening import store_of
from services.terminal.options import AsOf, instant_of, protocol_of
from services.terminal.tables import console_for_output
from services.terminal.writing import write_json
from services.trials.rules_version import configuration_hash


def queries(
    data: Data = None,
    config: Config = None,
    subject: OfSubject = None,
    site: Annotated[str | None, typer.Option("--site", help="Only those that this site can answer.")] = None,
    as_of: AsOf = None,
    protocol: ProtocolInForce = None,
    format: OutputFormat = ListFormat.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """List the open questions: about which record or case, and which site can answer it."""
    checked_subject(subject)
    with store_of(data, config, "queries", subject or site or "", protocol=protocol) as (settings, database):
        trial = protocol_of(settings.protocol)
        rules = configuration_hash(trial)
        if protocol is None:
            with database.reading() as connection:
                require_rules(connection, rules)
        found = open_questions(database, trial, rules, instant_of(as_of), subject=subject, site=site)
    if format is ListFormat.JSON:
        write_json([query._asdict() for query in found])
    elif format is ListFormat.NDJSON:
        for query in found:
            typer.echo(QueryRow(**query._asdict()).model_dump_json())
    else:
        table = Table("site", "subject", "record", "question", title="Open questions")
        for query in found:
            table.add_row(query.site or "-", query.subject, printable(query.record), printable(query.question))
        console_for_output().print(table)
