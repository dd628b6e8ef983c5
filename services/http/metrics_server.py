"""Metrics and health in a thread and an event loop of their own: they answer whatever the services' own loop does."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Final

from services.http.connection_limits import ConnectionLimits
from services.http.health import Check, create_metrics_app
from services.http.servers import GRACE_SECONDS, Server, server_of
from services.platform.metrics import Metrics
from services.platform.time_source import elapsed_seconds

LIMITS: Final = ConnectionLimits(connections=64, per_address=32)
BEAT_SECONDS: Final = 1.0
#: The services' event loop is late when it has not come round for so long, and stuck after so long.
LATE_SECONDS: Final = 10.0
STUCK_SECONDS: Final = 60.0


class Pulse:
    """Whether an event loop goes round: beaten there, felt from elsewhere."""

    def __init__(self) -> None:
        self._beat_at = elapsed_seconds()

    async def run(self) -> None:
        """Beat for as long as the loop runs."""
        while True:
            self._beat_at = elapsed_seconds()
            await asyncio.sleep(BEAT_SECONDS)

    def trouble(self) -> str | None:
        """That the loop is late, in a sentence; None while it is not."""
        return self._silent_for(LATE_SECONDS)

    def end(self) -> str | None:
        """That it is stuck, and that only a restart will help; None while there is hope."""
        return self._silent_for(STUCK_SECONDS)

    def _silent_for(self, seconds: float) -> str | None:
        silent = elapsed_seconds() - self._beat_at
        if silent <= seconds:
            return None
        return f"the event loop has not come round for {silent:.0f} s: nothing is taken or delivered; restart if this goes on"


async def serve_health(
    metrics: Metrics, checks: Sequence[Check], listener: socket.socket, stopping: asyncio.Event
) -> None:
    """Serve until ``stopping``. Raises what the server ends with before that."""
    pulse = Pulse()
    server = server_of(create_metrics_app(metrics, [*checks, pulse.trouble], pulse.end), LIMITS)
    beating = asyncio.create_task(pulse.run())
    serving = asyncio.create_task(_serve_in_a_thread(server, listener))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        server.should_exit = True
        for task in (beating, stopped):
            task.cancel()


async def _serve_in_a_thread(server: Server, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: BaseException | None) -> None:
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def run() -> None:
        error: Exception | None = None
        try:
            asyncio.run(server.serve([listener]))
        except SystemExit:
            error = RuntimeError("the server of metrics and health did not start")
        except Exception as raised:  # noqa: BLE001 - handed on to the caller
            error = raised
        loop.call_soon_threadsafe(end, error)

    thread = threading.Thread(target=run, name="health", daemon=True)
    thread.start()
    await ended
    await asyncio.to_thread(thread.join, GRACE_SECONDS)
