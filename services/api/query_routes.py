"""``/v1/queries``: the questions that are open, each with the record or case that it is about and the site that can answer it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request

from projections.folds.open_queries import OpenQuery
from projections.rules.logic.trial_protocol import TrialProtocol
from projections.store.engine.database import Database
from projections.store.read.assessment import open_questions
from services.api.alert_shapes import Shape
from services.api.reader import Reader
from services.http.access import own_sites
from services.http.parameters import QueryParameters
from services.platform.time_source import Clock
from services.trials.rules_version import configuration_hash


class QueryRow(Shape):
    """One open question. ``record`` is a record (``lab:L-7``) or a case (``ae:AE-1``)."""

    subject: str
    site: str | None
    record: str
    question: str


class Queries(Shape):
    """Every question that is open now."""

    queries: list[QueryRow]


class QueryRoutes:
    """What is asked. A site sees what is asked of it, and nothing else."""

    def __init__(self, database: Database, protocol: TrialProtocol, clock: Clock) -> None:
        self._database = database
        self._protocol = protocol
        self._clock = clock
        # It reads the charts of every subject asked about: one at a time.
        self._reader = Reader(database, at_once=1)

    async def queries(self, request: Request, parameters: Annotated[QueryParameters, Query()]) -> Queries:
        """The questions that are open now: those of a site's own subjects for a site."""
        own = own_sites(request)
        wanted = None if parameters.site is None else (parameters.site,)
        sites = wanted if own is None else tuple(site for site in own if wanted is None or site in wanted)
        rules, now = configuration_hash(self._protocol), self._clock.now()

        def asked() -> list[OpenQuery]:
            return open_questions(self._database, self._protocol, rules, now, subject=parameters.subject, sites=sites)

        return Queries(queries=[QueryRow(**query._asdict()) for query in await self._reader.run(asked)])
