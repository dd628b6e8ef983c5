"""``/v1/dead-letters``: parked input, as much of it as a role may see."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import Path, Query, Request
from sqlalchemy import Connection

from projections.store.read.dead_letters import DeadLetterRow, letter_of, letters_after
from services.api.cursors import Cursor, number_of
from services.api.dead_letter_shapes import (
    DeadLetterPage,
    DeadLetterSummary,
    WholeDeadLetter,
    dead_letter,
    letter_summary,
    whole_dead_letter,
)
from services.api.reader import Reader
from services.http.access import OPERATOR, caller_of, own_key, own_sites
from services.http.parameters import PLACE_MAX, DeadLetterParameters, NoParameters
from services.http.problems import Problem


class DeadLetterRoutes:
    """What is read of parked input. A site sees what it sent itself; an operator nothing that anybody wrote."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def page(self, request: Request, parameters: Annotated[DeadLetterParameters, Query()]) -> DeadLetterPage:
        """Parked input in the order in which it came. Go on with `after` = `next`."""
        wanted = partial(_page, parameters=parameters, sites=own_sites(request), sender=own_key(request))
        found, following = await self._reader.ask(wanted)
        if caller_of(request).role == OPERATOR:
            return DeadLetterPage(dead_letters=[letter_summary(letter) for letter in found], next=following)
        return DeadLetterPage(dead_letters=[dead_letter(letter) for letter in found], next=following)

    async def whole(
        self,
        request: Request,
        letter_id: Annotated[int, Path(ge=1, le=PLACE_MAX)],
        parameters: Annotated[NoParameters, Query()],
    ) -> WholeDeadLetter | DeadLetterSummary:
        """One parked message with its bytes."""
        del parameters
        letter = await self._reader.ask(
            partial(letter_of, letter_id=letter_id, sites=own_sites(request), sender=own_key(request))
        )
        if letter is None:
            raise Problem(404, "There is no such dead letter", "nothing of yours is parked under this id")
        return letter_summary(letter) if caller_of(request).role == OPERATOR else whole_dead_letter(letter)


def _page(
    connection: Connection, parameters: DeadLetterParameters, sites: Sequence[str] | None, sender: str | None
) -> tuple[list[DeadLetterRow], int | None]:
    life, after = number_of(connection, parameters.after)
    found = letters_after(connection, sites=sites, sender=sender, **{**parameters.filters(), "after": after})
    return found, Cursor(life, found[-1].id).told if len(found) == parameters.limit else None
