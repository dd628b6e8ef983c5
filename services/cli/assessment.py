"""``toxwatch assessment``: what the live projections say, in ``assess``'s JSON."""

from __future__ import annotations

import typer

from projections.store.write.rules_in_force import require_rules
from services.api.assessment_routes import assessment_document
from services.cli.alerts import OfSubject, checked_subject
from services.terminal.live_options import Config, Data, ProtocolInForce
from services.terminal.opening import store_of
from services.terminal.options import AsOf, AsOfAxis, Axis, Format, OutputFormat, instant_of, protocol_of
from services.terminal.tables import console_for_output, show_assessment
from services.terminal.writing import write_json
from services.trials.rules_version import configuration_hash


def assessment(
    data: Data = None,
    config: Config = None,
    as_of: AsOf = None,
    as_of_axis: AsOfAxis = Axis.RECORDED,
    subject: OfSubject = None,
    protocol: ProtocolInForce = None,
    format: OutputFormat = Format.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """Show what is true at an instant, from the stored projections; the log is not read.

    Under the rules in force; under others only where `--protocol` names them.
    """
    instant = instant_of(as_of)
    checked_subject(subject)
    with store_of(data, config, "assessment", subject or "", protocol=protocol) as (settings, database):
        trial = protocol_of(settings.protocol)
        if protocol is None:
            with database.reading() as connection:
                require_rules(connection, configuration_hash(trial))
        result = assessment_document(database, trial, instant, as_of_axis, subject)
    if "unwatched" in result:
        typer.echo(f"toxwatch: not being watched, because of a bug: {', '.join(result['unwatched'])}", err=True)
    if format is Format.JSON:
        write_json(result)
    else:
        show_assessment(console_for_output(), result)
