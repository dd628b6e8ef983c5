"""From the configuration to channels that are ready to send."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO, assert_never

from events.dates import Instant
from services.dispatcher.channels.console import ConsoleChannel
from services.dispatcher.channels.port import Channel
from services.dispatcher.channels.smtp import SmtpChannel
from services.dispatcher.channels.webhook import WebhookChannel
from services.dispatcher.recipients import ConsoleChannelConfig, Recipients, SmtpChannelConfig, WebhookChannelConfig


def open_channels(recipients: Recipients, console: TextIO, wall: Callable[[], Instant]) -> dict[str, Channel]:
    """Every configured channel, by name."""
    return {name: _opened(name, recipients, console, wall) for name in recipients.channels}


def _opened(name: str, recipients: Recipients, console: TextIO, wall: Callable[[], Instant]) -> Channel:
    config = recipients.channels[name]
    secrets = recipients.secrets.get(name, ())
    match config:
        case ConsoleChannelConfig():
            return ConsoleChannel(config, console)
        case SmtpChannelConfig():
            return SmtpChannel(config, next(iter(secrets), None), wall)
        case WebhookChannelConfig():
            assert secrets, "a webhook without its secret is refused when the file is read"
            return WebhookChannel(config, secrets, wall)
        case _:
            assert_never(config)
