"""``/v1/alerts``: as they stand, one with all there is about it, and as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Final

from fastapi import Header, Query, Request
from fastapi.sse import ServerSentEvent
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from projections.store.reading import alert_of, alerts_after, deliveries_of, evidence_of, history_of
from services.gateway.problems import Problem
from services.reading.access import Access
from services.reading.alert_feed import AlertFeed
from services.reading.alert_shapes import AlertPage, WholeAlert, alert_shape, whole_alert
from services.reading.parameters import AlertParameters, NoParameters, Place, StreamParameters
from services.reading.reader import Reader

#: After how long a browser that lost the stream comes back.
RETRY_MS: Final = 2_000
NOT_FOUND: Final = "There is no such alert"


class AlertRoutes:
    """What is read of alerts."""

    def __init__(self, reader: Reader, feed: AlertFeed, access: Access) -> None:
        self._reader = reader
        self._feed = feed
        self._access = access

    async def page(self, parameters: Annotated[AlertParameters, Query()]) -> AlertPage:
        """Alerts as they stand, in the order in which they changed.

        Go on with `after` = `next`. An alert that changes meanwhile moves to the end: nothing is missed, and nothing comes
        twice in the same revision.
        """
        return await self._reader.ask(partial(_page, parameters=parameters))

    async def whole(self, alert_id: str, parameters: Annotated[NoParameters, Query()]) -> WholeAlert:
        """One alert with its history, the events that it rests on, and what became of its deliveries."""
        del parameters
        if "\0" in alert_id:  # which no database takes in a text
            raise Problem(404, NOT_FOUND, "the id has a character that no id has")
        found = await self._reader.ask(partial(_whole, alert_id=alert_id))
        if found is None:
            raise Problem(404, NOT_FOUND, "nothing was ever told under this id")
        return found

    async def start(
        self,
        request: Request,
        parameters: Annotated[StreamParameters, Query()],
        last_event_id: Annotated[Place | None, Header(description="The id seen last; goes before `after`.")] = None,
    ) -> None:
        """Find the place to follow from, while the answer can still be a problem."""
        after = parameters.after if last_event_id is None else last_event_id
        request.state.start = await self._feed.start(after)

    async def stream(self, request: Request) -> AsyncIterator[ServerSentEvent]:
        """Each alert event as it is told, as server-sent events: the data is the event, the id its place.

        Comments come while there is nothing to tell, so that a lost connection is seen.
        """
        after: int = request.state.start
        # With the id, one who is cut off before the first event comes back to this place, and not to a later one.
        yield ServerSentEvent(id=str(after), retry=RETRY_MS, comment="following")
        async for page in self._feed.pages(after):
            if not await run_in_threadpool(self._access.still, request):
                return
            for told in page:
                yield ServerSentEvent(id=str(told.seq), raw_data=told.body.decode())


def _page(connection: Connection, parameters: AlertParameters) -> AlertPage:
    found = alerts_after(connection, **dict(parameters))
    following = found[-1].seq if len(found) == parameters.limit else None
    return AlertPage(alerts=[alert_shape(alert) for alert in found], next=following)


def _whole(connection: Connection, alert_id: str) -> WholeAlert | None:
    alert = alert_of(connection, alert_id)
    if alert is None:
        return None
    history = history_of(connection, alert_id)
    return whole_alert(alert, history, evidence_of(connection, alert), deliveries_of(connection, alert_id))
