"""``toxwatch test-message``: whether a message arrives, tried over the channels that alerts go over."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from events.dates import SECOND, Instant, format_instant
from events.faults import listed
from events.identity import derived_id
from services.dispatcher.channels.opening import open_channels
from services.dispatcher.channels.port import ChannelTest, OutcomeKind, SendOutcome
from services.dispatcher.recipient_faults import RecipientsError
from services.dispatcher.recipients import Recipient, Recipients, load_recipients
from services.platform import time_source
from services.platform.printable import printable
from services.platform.settings import SettingsError, read_settings
from services.terminal.live_options import Config
from services.trials.protocols import ProtocolError, find_protocol

FAILED: Final = 1
REFUSED: Final = 2
#: What came of an attempt, as an operator reads it.
WORDS: Final[Mapping[OutcomeKind, str]] = {
    "delivered": "delivered",
    "failed": "NOT delivered, and may succeed later",
    "rejected": "NOT delivered: the receiver or the configuration has to be put right",
    "throttled": "NOT delivered: the receiver asks to wait",
    "gone": "NOT delivered: the receiver wants no messages any more",
}
STILL_WAITING: Final = "no answer yet, still waiting; a mail server may scan for 10 minutes (Ctrl-C ends this)"


def try_channels(
    recipient: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPIENT", help="One recipient, by name. Without it: every recipient.", show_default=False
        ),
    ] = None,
    config: Config = None,
    recipients: Annotated[
        Path | None,
        typer.Option(
            "--recipients",
            help="Who is told, over which channels (TOXWATCH_RECIPIENTS).",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Send a test message over each channel of a recipient, and say what came of each.

    The message says that it is a test and that nothing is to be done. A running deployment is not disturbed.
    """
    try:
        settings = read_settings(config, recipients=recipients)
        known = load_recipients(settings.recipients, find_protocol(settings.protocol))
    except (SettingsError, ProtocolError, RecipientsError) as error:
        _refuse(str(error))
    people = [person for person in known.people if recipient in (None, person.name)]
    if not people:
        _refuse(f"there is no recipient {recipient!r}; there is {listed([person.name for person in known.people])}")
    outcomes = asyncio.run(_send(known, people, settings.deployment, time_source.now()))
    if any(outcome.kind != "delivered" for outcome in outcomes):
        raise typer.Exit(FAILED)


async def _send(known: Recipients, people: Sequence[Recipient], deployment: str, now: Instant) -> list[SendOutcome]:
    """Send them, as many at once as the channels allow; each has its line as soon as it has ended."""
    channels = open_channels(known, sys.stderr, time_source.now)
    turns = {name: asyncio.Semaphore(config.concurrency) for name, config in known.channels.items()}
    sent_at = format_instant(now // SECOND * SECOND)

    async def send(person: Recipient, name: str) -> SendOutcome:
        test = ChannelTest(
            derived_id("test-message", deployment, person.name, name, str(now)), person, deployment, sent_at
        )
        about = f"{person.name} over {name} ({known.channels[name].type})"
        # As in the service, one that is slow takes no turn from others.
        async with turns[name]:
            sending = asyncio.create_task(channels[name].send(test))
            done, _ = await asyncio.wait([sending], timeout=known.channels[name].timeout)
        if not done:
            typer.echo(f"{about}: {STILL_WAITING}", err=True)
        outcome = await sending
        typer.echo(printable(f"{about}: {_said(outcome)}"))
        return outcome

    try:
        return list(await asyncio.gather(*(send(person, name) for person in people for name in person.channels)))
    finally:
        for channel in channels.values():
            await channel.close()


def _said(outcome: SendOutcome) -> str:
    why = f" ({outcome.error})" if outcome.error is not None else ""
    wait = f"; again in {outcome.retry_after_seconds:g} s" if outcome.retry_after_seconds is not None else ""
    return WORDS[outcome.kind] + why + wait


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"toxwatch: {printable(sentence)}", err=True)
    raise typer.Exit(REFUSED)
