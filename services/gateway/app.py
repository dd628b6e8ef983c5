"""The gateway as one application: events in, and whatever is read over HTTP beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from projections.folds.trial import Trial
from projections.store.engine.database import Database
from services.gateway.documents import SECURITY_SCHEME, component_schemas
from services.gateway.intake import Heard, Intake, nobody_listens
from services.gateway.key_uses import CountKeyUses
from services.gateway.keys import KeyRing
from services.gateway.routes import events_router
from services.gateway.writer import EventWriter, nobody, not_behind
from services.http.budgets import KeyBudgets, Leases
from services.http.problems import answer_with_problems
from services.http.rate import RateLimit
from services.log.port import EventLog
from services.platform.fail_points import nothing
from services.platform.metrics import TrialMetrics
from services.platform.settings import Settings
from services.platform.time_source import Clock

#: Server-sent events are described in OpenAPI 3.2 and not before.
OPENAPI_VERSION: Final = "3.2.0"

#: For answers that are data; a page sets its own.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Puts the headers on every answer that has not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def create_app(
    *,
    database: Database,
    log: EventLog,
    trial: Trial,
    clock: Clock,
    settings: Settings,
    keys: KeyRing,
    metrics: TrialMetrics,
    reading: APIRouter | None = None,
    on_appended: Callable[[], None] = nobody,
    on_published: Callable[[], None] = nobody,
    behind: Callable[[], int] = not_behind,
    fail_point: Callable[[str], None] = nothing,
    heard: Heard = nobody_listens,
) -> FastAPI:
    """The application. ``reading`` are the routes that read; they check their callers by themselves.

    ``heard`` is told the times that events from outside bear, before they are stamped.
    ``on_appended`` is called when something new is in the log, ``on_published`` when something new is in the outbox.
    ``behind`` says how many entries of the log have not been judged.
    """
    intake = Intake(database, log, trial, clock, metrics, fail_point, heard, settings.letter_quota)
    writer = EventWriter(intake, on_appended, on_published, behind)

    app = FastAPI(
        title="Toxwatch",
        version=version("toxwatch"),
        description="Clinical events of a dose-finding trial in, alerts and assessments out.",
        docs_url=None,
        redoc_url=None,
        lifespan=_writing(writer, keys),
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Leases, budgets=KeyBudgets(settings.requests_per_key))
    app.add_middleware(CountKeyUses, uses=keys.uses)
    answer_with_problems(app)
    app.include_router(events_router(keys.authenticate, writer, RateLimit(settings.events_per_minute), metrics))
    if reading is not None:
        app.include_router(reading)
    app.state.writer = writer
    app.openapi = _document(app)  # type: ignore[method-assign]
    return app


def _writing(writer: EventWriter, keys: KeyRing) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """What runs as long as the application does: the writer of events, and that of how keys were used."""

    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(writer.run(), name="event-writer")
        # Its own: an application that is begun twice has one key ring, and each life ends by itself.
        stopping = asyncio.Event()
        counting = asyncio.create_task(keys.uses.run(stopping), name="key-uses")
        yield
        writer.stop()
        stopping.set()
        await asyncio.gather(task, counting)

    return running


def _document(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Makes the OpenAPI document of everything that is included, once."""
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            made.update(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    openapi_version=OPENAPI_VERSION,
                    description=app.description,
                    routes=app.routes,
                )
            )
            components = made.setdefault("components", {})
            components.setdefault("schemas", {}).update(component_schemas())
            components.setdefault("securitySchemes", {}).setdefault(
                SECURITY_SCHEME, {"type": "http", "scheme": "bearer"}
            )
        return made

    return document
