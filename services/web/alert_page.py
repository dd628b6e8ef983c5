"""``/alerts/{alert_id}``, where the links in messages lead: a plain page, readable without anything but a browser and a key."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection, select

from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.tables import alerts
from projections.store.read.zones import zone_of
from services.api.alert_routes import NOT_FOUND, whole_alert_of
from services.api.reader import Reader
from services.dispatcher.notice import handle_of
from services.http.access import READERS, Access, Authenticate
from services.http.problems import Problem
from services.platform.links import link_of_alert
from services.platform.time_source import Clock
from services.web.alert_html import Site, alert_page
from services.web.html import bullets, page, tag
from services.web.page_access import PageRoute, for_browsers, html_response

PATH: Final = "/alerts/{alert_id:path}"
#: The short name of an alert, as people type it.
HANDLE: Final = re.compile(r"[0-9A-Za-z]{4}-?[0-9A-Za-z]{2}")
#: What is easily taken for a digit when it is read aloud or copied.
_MISREAD: Final = str.maketrans("OIL", "011")


class AlertPages:
    """Reads an alert and writes its page, all of it away from the event loop."""

    def __init__(self, reader: Reader, protocol: TrialProtocol, clock: Clock) -> None:
        self._reader = reader
        self._protocol = protocol
        self._clock = clock

    async def alert(self, alert_id: str) -> Response:
        """The page of one alert, by its id or its handle."""
        if "\0" in alert_id:  # which no database takes in a text
            raise Problem(404, NOT_FOUND, "the id has a character that no id has")
        return await self._reader.ask(partial(self._page, alert_id=alert_id))

    def _page(self, connection: Connection, alert_id: str) -> Response:
        alert = whole_alert_of(connection, alert_id)
        if alert is None:
            named = _named(connection, alert_id)
            if len(named) > 1:
                return html_response(_choice(named), 300)
            alert = whole_alert_of(connection, named[0]) if named else None
        if alert is None:
            raise Problem(404, NOT_FOUND, "nothing was ever told under this id")
        site = Site(self._protocol, zone_of(connection, self._protocol, alert.subject))
        return html_response(alert_page(alert, site, self._clock.now()))


def alert_pages(reader: Reader, protocol: TrialProtocol, clock: Clock, authenticate: Authenticate) -> APIRouter:
    """The route, for those who may read ``/v1/alerts/{alert_id}``. It is for people, and in no document for programs."""
    router = APIRouter(route_class=PageRoute)
    readers = Depends(Access(for_browsers(authenticate)).of(*READERS))
    pages = AlertPages(reader, protocol, clock)
    router.add_api_route(
        PATH, pages.alert, methods=["GET", "HEAD"], dependencies=[readers], include_in_schema=False, response_model=None
    )
    return router


def _named(connection: Connection, text: str) -> list[str]:
    """The alerts of a handle. Two in a billion have the same."""
    if HANDLE.fullmatch(text) is None:
        return []
    plain = text.replace("-", "").upper().translate(_MISREAD)
    wanted = f"{plain[:4]}-{plain[4:]}"
    return [alert_id for alert_id in connection.scalars(select(alerts.c.alert_id)) if handle_of(alert_id) == wanted]


def _choice(alert_ids: list[str]) -> str:
    links = [tag("a", alert_id, href=link_of_alert("", alert_id)) for alert_id in alert_ids]
    return page("Several alerts", tag("main", tag("h1", "Several alerts have this short name"), bullets(links)))
