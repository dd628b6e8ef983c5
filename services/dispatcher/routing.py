"""Who has to be told of an alert: chosen by the recipients' filters, and never nobody where it is urgent."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from projections.folds.system_alerts import COHORT
from services.dispatcher.notice import Notice
from services.dispatcher.recipients import Recipient, Recipients


class Route(NamedTuple):
    """A recipient's name and the name of a channel that reaches them."""

    recipient: str
    channel: str


class Directory:
    """The recipients by name, and the routes to them."""

    def __init__(self, recipients: Recipients) -> None:
        self._people = {person.name: person for person in recipients.people}

    def person(self, name: str) -> Recipient:
        """The recipient of that name."""
        return self._people[name]

    def takers(self, notice: Notice, failing: Collection[str] = ()) -> list[Route]:
        """Whom the filters choose; an alert about channels that fail never goes over one of these."""
        people = [person for person in self._people.values() if _takes(person, notice)]
        if not people and notice.urgency == "urgent":
            people = list(self._people.values())
        return [route for person in people for route in _routes(person) if route.channel not in failing]

    def current(self, route: Route) -> list[Route]:
        """How somebody who was reached by ``route`` is reached now: as then, or by their channels of today, if they have any."""
        person = self._people.get(route.recipient)
        if person is None:
            return []
        return [route] if route.channel in person.channels else _routes(person)


def _takes(person: Recipient, notice: Notice) -> bool:
    """A dose level on hold is the medical monitor's business, not only the operators'."""
    if notice.subject is None and not notice.case.startswith(COHORT):
        return person.operational
    return (
        (person.urgencies is None or notice.urgency in person.urgencies)
        and (person.populations is None or notice.population is None or notice.population in person.populations)
        and (person.levels is None or notice.dose_level is None or notice.dose_level in person.levels)
    )


def _routes(person: Recipient) -> list[Route]:
    return [Route(person.name, channel) for channel in person.channels]
