"""How one alert event becomes rows of the ledger: a line of small stages, each from draft to draft, all of them pure.

``audience`` who has to be told   ->   ``timing`` from when   ->   ``closing`` what need not be sent any more
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from events.dates import FAR_FUTURE, SECOND, Instant
from services.dispatcher.delivery import (
    CHANNEL_DISABLED,
    SETTLED,
    SUPERSEDED,
    WAITING,
    Delivery,
    State,
    believing,
    new_delivery,
    told_for_certain,
)
from services.dispatcher.ledger import AlertStep
from services.dispatcher.notice import Notice
from services.dispatcher.routing import Directory, Route

#: For so long a message waits for what is due already: one late event, one message.
DUE_WAIT: Final = 3 * SECOND // 2


@dataclass(frozen=True)
class DeliveryPlan:
    """An alert event with what the ledger knows of its alert, and what was decided so far.

    ``routine_since``: when the open spell became routine. ``failing``: the channels over which an ``undelivered`` alert must
    not go. ``is_overdue``: time alone has changed something about the subject, which is told in a moment.
    """

    event_id: str
    notice: Notice
    now: Instant
    known: Sequence[Delivery]
    routine_since: Instant
    failing: Collection[str] = ()
    is_overdue: bool = False
    routes: Mapping[Route, Instant] = field(default_factory=dict)
    ended: Mapping[str, State] = field(default_factory=dict)

    @property
    def unfinished(self) -> list[Delivery]:
        """The rows of earlier revisions that are still to be sent."""
        return [delivery for delivery in self.known if delivery.is_unfinished]

    def again_at(self, route: Route, delay: int) -> Instant:
        """From when on somebody is told: at once, but of Toxwatch itself not sooner than so long after the last time."""
        if not self.notice.is_system:
            return self.now + (DUE_WAIT if self.is_overdue else 0)
        last = max(
            (d.delivered_at for d in self.known if d.route == route and d.delivered_at is not None), default=None
        )
        return self.now if last is None else max(self.now, last + delay)

    def notice_for(self, route: Route) -> Notice:
        """The notice as this recipient is told it: what somebody hears first of an alert is "raised", and is news."""
        rows = [delivery for delivery in self.known if delivery.route == route]
        if self.notice.is_withdrawn or self.notice.telling == "news":
            telling = self.notice.telling
        else:
            owed = any(delivery.is_unfinished and delivery.notice.telling == "news" for delivery in rows)
            telling = "news" if owed or not rows else self.notice.telling
        has_heard = route in told_for_certain(rows)
        kind = "raised" if self.notice.kind == "revised" and not has_heard else self.notice.kind
        return self.notice.model_copy(update={"telling": telling, "kind": kind})

    def rows(self, disabled: Collection[str]) -> list[Delivery]:
        """The new rows."""
        return [
            new_delivery(
                self.event_id,
                self.notice_for(route),
                route,
                CHANNEL_DISABLED if route.channel in disabled else WAITING,
                self.now,
                not_before,
            )
            for route, not_before in self.routes.items()
        ]


Stage = Callable[[DeliveryPlan], DeliveryPlan]


def planning_line(directory: Directory, routine_delay: int, again_delay: int) -> tuple[Stage, ...]:
    """The stages, in order.

    ``routine_delay`` is how long a routine alert waits, ``again_delay`` how long after the message before it people are told
    again of an alert about Toxwatch itself; both in microseconds.
    """
    return audience(directory), timing(routine_delay, again_delay), closing


def audience(directory: Directory) -> Stage:
    """Whom the filters choose, and who believes that the alert stands; of what is no news, nobody who need not be told.

    A withdrawal goes to those who believe that it stands. What is told quietly goes to these, too, and to those who wait for an
    earlier revision; what is silent only to the latter. Somebody to whom nothing of the alert was ever sent is told in any case.
    """

    def stage(draft: DeliveryPlan) -> DeliveryPlan:
        told = [route for before in believing(draft.known) for route in directory.current(before)]
        if draft.notice.is_withdrawn:
            return replace(draft, routes=dict.fromkeys(told, draft.now))
        chosen = directory.takers(draft.notice, draft.failing)
        if draft.notice.telling != "news":
            waiting = {delivery.route for delivery in draft.unfinished}
            known = {delivery.route for delivery in draft.known}
            chosen = [route for route in chosen if route in waiting or route not in known]
        if draft.notice.telling == "silent":
            told = [route for route in told if route in {delivery.route for delivery in draft.unfinished}]
        return replace(draft, routes=dict.fromkeys([*chosen, *told], draft.now))

    return stage


def timing(routine_delay: int, again_delay: int) -> Stage:
    """At once; only what is routine waits, and not for somebody who was told more than that before.

    Who still waits for an earlier revision has waited since then: by news, no undelivered alert becomes young again.
    """

    def stage(draft: DeliveryPlan) -> DeliveryPlan:
        told = set(believing(draft.known))
        since = {delivery.route: delivery.not_before for delivery in draft.unfinished}
        wait_until = max(draft.now, draft.routine_since + routine_delay)

        def not_before(route: Route) -> Instant:
            if draft.notice.waits and route not in told:
                return since.get(route, wait_until)
            return min(draft.again_at(route, again_delay), since.get(route, FAR_FUTURE))

        return replace(draft, routes={route: not_before(route) for route in draft.routes})

    return stage


def closing(draft: DeliveryPlan) -> DeliveryPlan:
    """Earlier revisions that were not delivered: nobody wants five stale messages after an outage."""
    ended: dict[str, State] = {
        delivery.id: SUPERSEDED if delivery.route in draft.routes else SETTLED for delivery in draft.unfinished
    }
    return replace(draft, ended=ended)


def routine_since(notice: Notice, history: Sequence[AlertStep], detected_at: Instant) -> Instant:
    """When the alert first was routine since it was raised last; ``detected_at`` is the event's own instant."""
    since = detected_at
    for step in reversed([step for step in history if step.revision <= notice.revision]):
        if step.urgency == "routine":
            since = step.detected_at
        if step.kind == "raised":
            break
    return since
