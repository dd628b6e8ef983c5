"""``toxwatch dead-letters replay``: parked input, taken up again once its cause is mended."""

from __future__ import annotations

from typing import Annotated

import typer

from events.errors import ToxwatchError
from projections.folds.trial import Trial
from projections.store.read.dead_letters import letter_of
from projections.store.write import dead_letter_store
from services.cli.dead_letters import dead_letters_app
from services.clock.watch import checked_clock
from services.files.refusals import SOME_INPUT_REFUSED
from services.gateway.intake import Intake
from services.gateway.intake_topics import load_intake_topics
from services.gateway.resubmission import Resubmission, ResubmissionRefused
from services.http.parameters import PLACE_MAX
from services.log.opening import open_logs
from services.monitor.replay import Replay
from services.platform.logs import configure_logs
from services.platform.printable import printable
from services.terminal.live_options import Config, Data, ProtocolInForce
from services.terminal.opening import store_of
from services.terminal.operator import operator_name
from services.terminal.options import protocol_of

__all__ = ["dead_letters_app"]


@dead_letters_app.command("replay")
def replay_letter(
    letter_id: Annotated[
        int | None, typer.Argument(metavar="ID", min=1, max=PLACE_MAX, help="As `dead-letters list` shows it.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Everything of a subject that is not watched, instead of one.")
    ] = None,
    data: Data = None,
    config: Config = None,
    protocol: ProtocolInForce = None,
) -> None:
    """Take a parked message after all; of a subject that is not watched, everything that waits, in its order.

    What the gateway refused goes through the same checks again, with the authority of whoever sent it.
    """
    configure_logs("error")
    if (letter_id is None) == (subject is None):
        raise typer.BadParameter("name a dead letter, or a subject")
    about = str(letter_id) if letter_id is not None else f"subject {subject}"
    with (
        store_of(data, config, "dead-letters replay", about, protocol=protocol) as (settings, database),
        open_logs(settings, database) as logs,
    ):
        trial = Trial(protocol_of(settings.protocol), settings.source)
        clock = checked_clock(database)
        by, now = f"command line: {operator_name()}", clock.now()
        replay = Replay(database, trial)
        if subject is not None:
            _say(len(replay.replay_subject(subject, by, now).taken))
        elif letter_id is not None:
            with database.reading() as connection:
                letter = letter_of(connection, letter_id)
            if letter is None:
                raise ToxwatchError(f"there is no dead letter {letter_id}")
            if letter.origin == dead_letter_store.MONITOR:
                _say(len(replay.replay(letter_id, by, now).taken))
            else:
                intake = Intake(database, logs.clinical, trial, clock)
                topics = load_intake_topics(settings.intake)
                try:
                    again = Resubmission(database, intake, trial, topics)
                    result = again.replay(letter_id, by, now)
                except ResubmissionRefused as refused:
                    typer.echo(printable(f"toxwatch: {refused}"), err=True)
                    raise typer.Exit(SOME_INPUT_REFUSED) from None
                typer.echo(f"toxwatch: {result.status} at {result.position}", err=True)


def _say(count: int) -> None:
    typer.echo(f"toxwatch: {count} events were taken", err=True)
