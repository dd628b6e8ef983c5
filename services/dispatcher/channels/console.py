"""The console: one line a message, for a person who watches the terminal."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO, assert_never

from services.dispatcher.channels.port import ChannelTest, GroupedAlert, Message, Sendable, SendOutcome, what_failed
from services.dispatcher.notice import plain
from services.dispatcher.recipients import ConsoleChannelConfig


class ConsoleChannel:
    """Writes to a stream, from a thread of its own: a terminal that is held up must hold up nothing else."""

    def __init__(self, config: ConsoleChannelConfig, stream: TextIO) -> None:
        self._timeout_seconds = config.timeout
        self._stream = stream
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="console")

    async def send(self, message: Sendable) -> SendOutcome:
        """Write a line for each alert."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await loop.run_in_executor(self._writer, self._write, "\n".join(lines_of(message)))
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            return SendOutcome("failed", what_failed(error), may_have_arrived=isinstance(error, TimeoutError))
        return SendOutcome("delivered")

    async def close(self) -> None:
        """The stream is not ours to close."""
        self._writer.shutdown(wait=False, cancel_futures=True)

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def lines_of(message: Sendable) -> list[str]:
    """The message, each alert on one line."""
    match message:
        case ChannelTest():
            return [plain(f"{message.sent_at} {message.headline}. {message.sentence}")]
        case Message():
            return [_line_of(part) for part in message.parts or (GroupedAlert(message.notice, message.link),)]
        case _:
            assert_never(message)


def _line_of(part: GroupedAlert) -> str:
    notice = part.notice
    said = f" {notice.sentence}" if notice.sentence else ""
    return plain(f"{notice.detected_at} {notice.headline} (revision {notice.revision}){said} {part.link}")
