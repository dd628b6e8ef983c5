"""``toxwatch demo``: `run` on a clock that is sped up, a trial played into it over HTTP, and somebody to tell."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from sqlalchemy import func, select

from events.dates import DAY, HOUR
from projections.store.engine.database import Database
from projections.store.engine.tables import alert_events, alerts, deliveries
from services.demo.player import SPONSOR, Player, ScheduledEvent, arrivals
from services.demo.receivers import HOOK_PATH, DemoMailbox, DemoWebhook
from services.gateway.keys import SITE, add_key
from services.http.caller import Role
from services.http.servers import address_of, listening, server_of
from services.platform.logs import configure_logs
from services.platform.settings import read_settings
from services.platform.time_source import ScaledClock
from services.runtime.embedded import System, run_system
from services.simulator.trial import simulate_trial

SITES: Final = ("FR01", "FR02", "FR03", "FR04", "FR05")
MONITOR: Final = Role.MEDICAL_MONITOR.value
#: A day in a quarter of a second.
SPEED: Final = 345_600.0
#: How long the story goes on after its last event: longer than a routine alert waits.
AFTERWARDS: Final = 3 * DAY

_RECIPIENTS: Final = """\
[channels.terminal]
type = "console"

[channels.mailbox]
type = "smtp"
host = "127.0.0.1"
port = {smtp}
tls = "none"
from = "toxwatch@demo.example"

[channels.webhook]
type = "webhook"
url = "http://{hook}{path}"
secret_file = "webhook.secret"

[[recipients]]
name = "medical-monitor"
role = "medical-monitor"
address = "monitor@demo.example"
channels = ["terminal", "mailbox", "webhook"]
"""


def demo(
    speed: Annotated[
        float, typer.Option("--speed", min=1.0, max=2_000_000.0, help="How many times as fast as life.")
    ] = SPEED,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Where the data stay afterwards. Default: nowhere.", metavar="DIR")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which simulated trial.")] = 7,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="Only the first so many days of it.", show_default="all")
    ] = None,
) -> None:
    """Start everything, play a simulated trial into it over HTTP, and deliver its alerts: here, by mail, to a webhook."""
    configure_logs("warning")
    with _directory(keep) as directory:
        asyncio.run(_perform(directory, speed, seed, days))
        if keep is not None:
            typer.echo(f"kept in {directory}: try `toxwatch alerts --data {directory}`", err=True)


@contextlib.contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="toxwatch-demo-") as name:
        yield Path(name)


async def _perform(directory: Path, speed: float, seed: int, days: int | None) -> None:
    events = arrivals(simulate_trial(seed))
    if days is not None:
        events = [event for event in events if event.at < events[0].at + days * DAY]
    clock = ScaledClock(events[0].at - HOUR, speed)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    mailbox = DemoMailbox(directory / "mailbox", _free_port())
    webhook = DemoWebhook(directory / "webhook.ndjson", secret)
    listener = listening("127.0.0.1:0")
    hook = server_of(webhook.app)
    _write_recipients(directory, mailbox, address_of(listener), secret)
    settings = read_settings(
        data=directory,
        deployment="demo",
        listen="127.0.0.1:0",
        metrics="127.0.0.1:0",
        recipients=directory / "recipients.toml",
    )
    finished: list[asyncio.Task[Player]] = []

    def start(gateway: str, metrics: str, system: System) -> None:
        keys = _keys(settings.database_url, clock)
        typer.echo(f"gateway on {gateway}, metrics on {metrics}; {len(events)} events follow", err=True)
        typer.echo(f"open a link while it lasts, with any name and the password {keys.pop(MONITOR)}", err=True)
        player = Player(f"http://{gateway}", keys, clock)
        finished.append(asyncio.create_task(_play(player, events, clock, system)))

    mailbox.start()
    hooking = asyncio.create_task(hook.serve([listener]))
    try:
        await run_system(settings, clock, on_ready=start)
        player = await finished[0]
    finally:
        hook.should_exit = True
        await hooking
        mailbox.stop()
    _report(settings.database_url, player, mailbox, webhook)


async def _play(player: Player, events: list[ScheduledEvent], clock: ScaledClock, system: System) -> Player:
    """Play the trial to its end and a little beyond, then stop the system."""
    try:
        await player.play(events)
        await asyncio.sleep(clock.seconds_until(clock.now() + AFTERWARDS) + 1.0)
    finally:
        system.stopping.set()
    return player


def _keys(url: str, clock: ScaledClock) -> dict[str, str]:
    """A key for each site, one for the sponsor, and one to read the alerts with."""
    database = Database(url)
    try:
        with database.writing() as connection:
            made = {site: add_key(connection, SITE, site, "demo", clock.now()).text for site in SITES}
            for role in (SPONSOR, MONITOR):
                made[role] = add_key(connection, role, None, "demo", clock.now()).text
    finally:
        database.close()
    return made


def _write_recipients(directory: Path, mailbox: DemoMailbox, hook: str, secret: str) -> None:
    secret_file = directory / "webhook.secret"
    secret_file.touch(mode=0o600)
    secret_file.write_text(secret)
    text = _RECIPIENTS.format(smtp=mailbox.port, hook=hook, path=HOOK_PATH)
    (directory / "recipients.toml").write_text(text)


def _free_port() -> int:
    """A port that nobody listens on now: the mail server cannot be given a socket."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _report(url: str, player: Player, mailbox: DemoMailbox, webhook: DemoWebhook) -> None:
    database = Database(url)
    try:
        with database.reading() as connection:
            told = connection.scalar(select(func.count()).select_from(alert_events)) or 0
            standing = connection.scalar(select(func.count()).select_from(alerts).where(alerts.c.state == "open")) or 0
            states = connection.execute(select(deliveries.c.state, func.count()).group_by(deliveries.c.state)).all()
    finally:
        database.close()
    said = ", ".join(f"{count} {status}" for status, count in sorted(player.results.items()))
    sent = ", ".join(f"{count} {state}" for state, count in sorted(tuple(row) for row in states))
    typer.echo(f"events: {said}", err=True)
    typer.echo(f"alert events: {told}; alerts that stand: {standing}", err=True)
    typer.echo(f"deliveries: {sent}; in the mailbox {mailbox.count}, at the webhook {webhook.count}", err=True)
