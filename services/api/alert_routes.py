"""``/v1/alerts``: as they stand, one with all there is about it, and as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Final

from fastapi import Header, Query, Request
from fastapi.sse import ServerSentEvent
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from projections.store.read.alerts import alert_of, alerts_after, deliveries_of, evidence_of, history_of, newest_seq
from services.api.alert_feed import AlertFeed, Following
from services.api.alert_shapes import AlertPage, WholeAlert, alert_shape, whole_alert
from services.api.cursors import Cursor, number_of, place_of
from services.api.reader import Reader
from services.http.access import Access
from services.http.budgets import lease_of
from services.http.parameters import AlertParameters, NoParameters, StreamParameters
from services.http.parameters import Place as PlaceParameter
from services.http.problems import Problem

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
        found = await self._reader.ask(partial(whole_alert_of, alert_id=alert_id))
        if found is None:
            raise Problem(404, NOT_FOUND, "nothing was ever told under this id")
        return found

    async def start(
        self,
        request: Request,
        parameters: Annotated[StreamParameters, Query()],
        last_event_id: Annotated[
            PlaceParameter | None, Header(description="The id seen last; goes before `after`.")
        ] = None,
    ) -> None:
        """Find the place to follow from, while the answer can still be a problem."""
        lease_of(request).follow()
        after = parameters.after if last_event_id is None else last_event_id
        request.state.start = await self._feed.start(None if after is None else place_of(after))

    async def stream(self, request: Request) -> AsyncIterator[ServerSentEvent]:
        """Each alert event as it is told, as server-sent events: the data is the event, the id its place.

        Comments come while there is nothing to tell, so that a lost connection is seen. Where the place to follow from was given
        out before the database was restored, an event `reset` comes first, and then everything from the beginning.
        """
        following: Following = request.state.start
        # With the id, one who is cut off before the first event comes back to this place, and not to a later one.
        yield ServerSentEvent(id=str(following.place.told), retry=RETRY_MS, comment="following")
        if following.reset is not None:
            yield _reset(following.place, following.reset)
        async for page in self._feed.pages(following.place):
            if not await run_in_threadpool(self._access.still, request):
                return
            if page.reset is not None:
                yield _reset(Cursor(page.life, 0), page.reset)
            for told in page.events:
                yield ServerSentEvent(id=str(Cursor(page.life, told.seq).told), raw_data=told.body.decode())


def _reset(place: Cursor, why: str) -> ServerSentEvent:
    return ServerSentEvent(event="reset", id=str(place.told), data={"detail": why, "after": place.told})


def _page(connection: Connection, parameters: AlertParameters) -> AlertPage:
    life, after = number_of(connection, parameters.after, newest_seq(connection))
    found = alerts_after(connection, **{**parameters.filters(), "after": after})
    following = Cursor(life, found[-1].seq).told if len(found) == parameters.limit else None
    return AlertPage(alerts=[alert_shape(alert) for alert in found], next=following)


def whole_alert_of(connection: Connection, alert_id: str) -> WholeAlert | None:
    """One alert with all there is about it; None where there is none."""
    alert = alert_of(connection, alert_id)
    if alert is None:
        return None
    history = history_of(connection, alert_id)
    return whole_alert(alert, history, evidence_of(connection, alert), deliveries_of(connection, alert_id))
