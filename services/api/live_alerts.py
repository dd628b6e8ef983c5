"""A Faust agent on the alert log, for what may be lost or repeated: waking those who follow the alerts, and a count of them.

What a follower is told is read from the database, so a record that Faust loses or repeats changes nothing but the delay. The app
has a thread and an event loop of its own: where Faust waits, fails or hangs, the gateway does not notice.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import faust
import structlog
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from faust.types.auth import CredentialsT
from mode.threads import WorkerThread

from events.alert import AlertEvent
from events.codec import Codec
from events.errors import EventRefused
from projections.rules.logic.trial_protocol import TrialProtocol
from services.log.kafka_client import MECHANISM, Cluster
from services.platform.metrics import Metrics

#: Followers are woken once for so many alerts, or for those that come within so long.
SEEN_AT_ONCE_MAX: Final = 100
SEEN_WITHIN_SECONDS: Final = 0.02
SESSION_SECONDS: Final = 10.0
HEARTBEAT_SECONDS: Final = 2.0
START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 2.0
PAUSE_SECONDS_MIN: Final = 0.5
PAUSE_SECONDS_MAX: Final = 30.0
LOOK_SECONDS: Final = 0.1

log = structlog.get_logger()


class ReadsOnly(BootStrategy):
    """Faust consumes: it makes no producer, and no web server."""

    enable_kafka_producer = False
    enable_web = False


class LiveApp(faust.App):
    """An app that writes nothing, neither to the disk nor to Kafka."""

    BootStrategy = ReadsOnly

    async def on_first_start(self) -> None:
        """Make no directories: there are no tables."""


class ForgottenThread(WorkerThread):
    """Faust's consumer runs in one. It keeps neither its app nor the end of the process waiting."""

    def __init__(self, service: Any, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True

    def run(self) -> None:
        """What ends it is told to whoever has started it, and needs no second traceback."""
        with suppress(Exception):
            super().run()

    def stop(self) -> None:
        """Wait for its end, but not for ever."""
        self.is_stopped.wait(STOP_SECONDS_MAX)


class LiveConsumer(driver.Consumer):
    """The consumer in such a thread."""

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return driver.AIOKafkaConsumerThread(self, loop=self.loop, beacon=self.beacon, Worker=ForgottenThread)


class LiveTransport(driver.Transport):
    """With that consumer."""

    Consumer = LiveConsumer


def credentials_of(cluster: Cluster) -> CredentialsT | None:
    """What every client says to the brokers, as Faust is told it."""
    security = cluster.security
    context = security.get("ssl_context")
    if cluster.username is not None:
        return faust.SASLCredentials(
            username=cluster.username, password=cluster.password, ssl_context=context, mechanism=MECHANISM
        )
    return faust.SSLCredentials(context=context) if context is not None else None


class LiveAlerts:
    """Watches the alert log from now on, in a consumer group of its own. ``on_alerts`` is called in its thread.

    Whatever fails is tried again with another app, after a pause that grows.
    """

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        group: str,
        protocol: TrialProtocol,
        metrics: Metrics,
        on_alerts: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._group = group
        self._codec = Codec(protocol.contract)
        self._metrics = metrics
        self._on_alerts = on_alerts
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="live-alerts", daemon=True)
        self.is_watching = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what does not end in time is left to end with the process."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * STOP_SECONDS_MAX)

    async def _run(self) -> None:
        pause = PAUSE_SECONDS_MIN
        while not self._stopping.is_set():
            try:
                if await self._watched():
                    pause = PAUSE_SECONDS_MIN
            except Exception as error:  # noqa: BLE001 - nothing depends on it
                log.warning("live_alerts_failed", error=error)
            await self._rest(pause)
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    async def _watched(self) -> bool:
        """Watch until the app has crashed, or is to stop; whether it ever began."""
        app = self._app()
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await app.start()
            self.is_watching = True
            log.info("live_alerts_watched", topic=self._topic)
            await app.wait(self._until_stopped())
        finally:
            was_watching, self.is_watching = self.is_watching, False
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await app.stop()
        return was_watching

    def _app(self) -> faust.App:
        app = LiveApp(
            self._group,
            broker=[f"kafka://{server}" for server in self._cluster.servers],
            broker_credentials=credentials_of(self._cluster),
            broker_session_timeout=SESSION_SECONDS,
            broker_heartbeat_interval=HEARTBEAT_SECONDS,
            consumer_auto_offset_reset="latest",
            topic_allow_declare=False,
            topic_disable_leader=True,
            autodiscover=False,
        )
        app.transport = LiveTransport(app.conf.broker_consumer, app, app.loop)

        @app.agent(app.topic(self._topic, key_serializer="raw", value_serializer="raw"), name="watch")
        async def watch(alerts: Any) -> None:
            async for bodies in alerts.take(SEEN_AT_ONCE_MAX, within=SEEN_WITHIN_SECONDS):
                self._see(bodies)

        return app

    def _see(self, bodies: Sequence[bytes]) -> None:
        self._on_alerts()
        for body in bodies:
            try:
                event = self._codec.decode(body).event
            except EventRefused:
                continue  # Of which the dispatcher tells.
            if isinstance(event, AlertEvent):
                self._metrics.live_alerts_total(event.data.verdict, event.type.split(".")[2])

    async def _until_stopped(self) -> None:
        await self._rest(float("inf"))

    async def _rest(self, seconds: float) -> None:
        while seconds > 0 and not self._stopping.is_set():
            await asyncio.sleep(LOOK_SECONDS)
            seconds -= LOOK_SECONDS
