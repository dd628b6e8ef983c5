"""Places that readers go on from: a number, and the life of the database in which it was given out.

After a restore the numbers count on from where the backup ended, and mean other alerts than before. Who goes on from a number
alone would miss alerts and never know; so a place from another life is known for what it is, and refused with a sentence.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection

from projections.store.engine.life import LIFE_MAX, life_of
from services.http.problems import Problem

#: A place is one whole number, which every client can hold exactly (2^53): the life, and in the low bits the number in it.
NUMBER_BITS: Final = 33
_NUMBER_MAX: Final = (1 << NUMBER_BITS) - 1
_FROM_THE_START: Final = "`after=0` begins anew; alerts that you know already have the ids that you know"


class Cursor(NamedTuple):
    """``life`` is 0 for 0, the place before everything, which is the same in every life."""

    life: int
    number: int

    @property
    def told(self) -> int:
        """The place as it is given out."""
        return self.life << NUMBER_BITS | self.number

    @property
    def may_be(self) -> bool:
        """Whether such a place was ever given out anywhere."""
        return 0 < self.life <= LIFE_MAX


START: Final = Cursor(0, 0)


def place_of(told: int) -> Cursor:
    """A place that was given out."""
    return Cursor(told >> NUMBER_BITS, told & _NUMBER_MAX)


def is_of_another_life(place: Cursor, life: int, newest: int) -> bool:
    """Whether the place was given out elsewhere, or in a life that ended: its number means nothing here."""
    return place != START and (place.life != life or place.number > newest)


def number_of(connection: Connection, told: int, newest: int = _NUMBER_MAX) -> tuple[int, int]:
    """The life of now, and the number to go on from. Raises a :class:`Problem` where the place is of another life."""
    place, life = place_of(told), life_of(connection)
    if not place.may_be and place != START:
        raise Problem(422, "Parameters that cannot be taken", f"after: {sentence(place)}")
    if is_of_another_life(place, life, newest):
        raise Problem(409, "A place in another life of the database", sentence(place))
    return life, place.number


def sentence(place: Cursor) -> str:
    """Why it is not gone on from there, and what to do."""
    why = (
        f"the place {place.told} was given out before this database was restored, or by another"
        if place.may_be
        else f"the place {place.told} was never given out: it does not say in which life of the database it counts"
    )
    return f"{why}; what has the same number here may be something else. {_FROM_THE_START}"
