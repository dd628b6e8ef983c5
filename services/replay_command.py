"""``toxwatch dead-letters replay``: parked input, taken up again once its cause is mended."""

from __future__ import annotations

import getpass

import typer

from events.errors import ToxwatchError
from projections.store import parking
from projections.store.reading_letters import letter_of
from services.assessment.options import protocol_of
from services.clock.time_source import SystemClock
from services.gateway.intake import Intake
from services.gateway.resubmission import Resubmission
from services.live_options import Config, Data
from services.log.embedded import EmbeddedLog
from services.monitor.replay import Replay
from services.reading.dead_letters_command import LetterId, dead_letters_app
from services.reading.opening import store_of

__all__ = ["dead_letters_app"]


@dead_letters_app.command("replay")
def replay_letter(letter_id: LetterId, data: Data = None, config: Config = None) -> None:
    """Take a parked message after all; of a subject that is not watched, everything that waits, in its order.

    What the gateway refused goes through the same checks again, with the authority of whoever sent it.
    """
    with store_of(data, config) as (settings, database):
        clock = SystemClock()
        protocol = protocol_of(settings.protocol)
        by = f"command line: {getpass.getuser()}"
        with database.reading() as connection:
            letter = letter_of(connection, letter_id)
        if letter is None:
            raise ToxwatchError(f"there is no dead letter {letter_id}")
        if letter.origin == parking.MONITOR:
            outcome = Replay(database, protocol, settings.source).replay(letter_id, by, clock.now())
            typer.echo(f"toxwatch: {len(outcome.taken)} events were taken", err=True)
        else:
            log = EmbeddedLog(database, "clinical")
            intake = Intake(database, log, protocol, clock, settings.source)
            result = Resubmission(database, intake, protocol, settings.source).replay(letter_id, by, clock.now())
            typer.echo(f"toxwatch: {result.status} at {result.position}", err=True)
