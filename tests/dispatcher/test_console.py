"""The console: one line a message."""

from __future__ import annotations

import asyncio
import io
import threading

from services.dispatcher.channels.console import ConsoleChannel
from services.dispatcher.channels.port import Message
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import ConsoleChannelConfig, Recipient
from tests.dispatcher.test_notice import VALUES

ANN = Recipient(name="ann", role="operator", channels=("console",))
MESSAGE = Message("D-1", Notice(**VALUES), ANN, "https://tox.example.org/alerts/ALERT", None)


def test_a_message_is_one_line() -> None:
    """When, what, where to read on."""
    stream = io.StringIO()

    async def send() -> str:
        channel = ConsoleChannel(ConsoleChannelConfig(type="console"), stream)
        outcome = await channel.send(MESSAGE)
        await channel.close()
        return outcome.kind

    assert asyncio.run(send()) == "delivered"
    assert stream.getvalue() == (
        "2017-03-01T08:00:00Z URGENT revised: FR01-001 DLT-1, DLT-3 met; DLT-2 possible (revision 2)"
        " https://tox.example.org/alerts/ALERT\n"
    )


def test_a_closed_stream_is_a_failed_attempt() -> None:
    """As when nobody reads any longer."""
    stream = io.StringIO()
    stream.close()

    async def send() -> str:
        channel = ConsoleChannel(ConsoleChannelConfig(type="console"), stream)
        outcome = await channel.send(MESSAGE)
        await channel.close()
        return outcome.kind

    assert asyncio.run(send()) == "failed"


def test_a_terminal_that_is_held_up_holds_up_nothing_else() -> None:
    """The attempt ends by its timeout while the stream still blocks."""
    released = threading.Event()

    class Held(io.StringIO):
        def write(self, text: str) -> int:
            released.wait(10)
            return super().write(text)

    async def send() -> str:
        channel = ConsoleChannel(ConsoleChannelConfig(type="console", timeout=0.1), Held())
        try:
            outcome = await channel.send(MESSAGE)
            return outcome.kind
        finally:
            released.set()
            await channel.close()

    assert asyncio.run(send()) == "failed"
