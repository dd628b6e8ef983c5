"""``toxwatch assessment``: what the live projections say, in ``assess``'s JSON."""

from __future__ import annotations

import typer

from services.assessment.options import AsOf, AsOfAxis, Axis, Format, OutputFormat, instant_of
from services.assessment.tables import console_for_output, show_assessment
from services.assessment.writing import write_json
from services.live_options import Config, Data
from services.protocols import ProtocolError, find_protocol
from services.reading.alerts_command import OfSubject, checked_subject
from services.reading.opening import store_of
from services.reading.standing_routes import assessment_document


def assessment(
    data: Data = None,
    config: Config = None,
    as_of: AsOf = None,
    as_of_axis: AsOfAxis = Axis.RECORDED,
    subject: OfSubject = None,
    format: OutputFormat = Format.TABLE,  # noqa: A002 - the option's own name
) -> None:
    """What is true at an instant, from the stored charts and findings of a deployment; the log is not read."""
    instant = instant_of(as_of)
    checked_subject(subject)
    with store_of(data, config) as (settings, database):
        try:
            protocol = find_protocol(settings.protocol)
        except ProtocolError as error:
            raise typer.BadParameter(str(error), param_hint="TOXWATCH_PROTOCOL") from None
        result = assessment_document(database, protocol, instant, as_of_axis, subject)
    if format is Format.JSON:
        write_json(result)
    else:
        show_assessment(console_for_output(), result)
