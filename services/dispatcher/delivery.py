"""One row of the ledger: a revision of an alert, for one recipient over one channel."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Literal, NamedTuple

from events.dates import Instant
from events.identity import derived_id
from services.dispatcher.notice import GROUPED_RANK, Notice
from services.dispatcher.routing import Route

#: ``waiting``: to be sent, from ``not_before`` on. ``delivered``: the receiver took it. ``superseded``: a newer revision goes to
#: the same recipient instead. ``settled``: nothing of it is left to tell. ``channel-disabled``: the receiver wants nothing, until
#: the channel is configured otherwise. ``unroutable``: the channel or the recipient is no longer configured.
State = Literal["waiting", "delivered", "superseded", "settled", "channel-disabled", "unroutable"]

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
SUPERSEDED: Final = "superseded"
SETTLED: Final = "settled"
CHANNEL_DISABLED: Final = "channel-disabled"
UNROUTABLE: Final = "unroutable"

#: What an attempt is before its outcome is known, and stays if we are stopped in it.
STARTED: Final = "started"

#: Whether the receiver has it. ``perhaps``: it may have taken it although we were not told so, or we were stopped in between.
Heard = Literal["no", "perhaps", "yes"]

#: Somebody still has to be told.
UNFINISHED: Final[frozenset[State]] = frozenset({WAITING, CHANNEL_DISABLED})


class Delivery(NamedTuple):
    """The columns of the row, the notice read."""

    id: str
    event_id: str
    alert_id: str
    revision: int
    recipient: str
    channel: str
    urgency: str
    state: State
    attempts: int
    created_at: Instant
    not_before: Instant
    next_attempt_at: Instant
    notice: Notice
    rank: int = 0
    delivered_at: Instant | None = None
    heard: Heard = "no"
    digest: str | None = None

    @property
    def route(self) -> Route:
        """Who, and how."""
        return Route(self.recipient, self.channel)

    @property
    def line(self) -> tuple[str, Route]:
        """What goes one after another: the revisions of one alert on one route."""
        return self.alert_id, self.route

    @property
    def is_unfinished(self) -> bool:
        """Whether somebody still has to be told."""
        return self.state in UNFINISHED

    @property
    def is_grouped(self) -> bool:
        """Whether it goes with others in one message: it is not urgent."""
        return self.rank >= GROUPED_RANK


def new_delivery(
    event_id: str, notice: Notice, route: Route, state: State, now: Instant, not_before: Instant
) -> Delivery:
    """A row that nothing was done about yet. Its id is the same whenever the same is to be told to the same."""
    return Delivery(
        id=derived_id(notice.alert_id, str(notice.revision), route.recipient, route.channel),
        event_id=event_id,
        alert_id=notice.alert_id,
        revision=notice.revision,
        recipient=route.recipient,
        channel=route.channel,
        urgency=notice.urgency,
        state=state,
        attempts=0,
        created_at=now,
        not_before=not_before,
        next_attempt_at=max(now, not_before),
        notice=notice,
        rank=notice.rank,
    )


def believing(known: Iterable[Delivery]) -> list[Route]:
    """Who believes, or may believe, that the alert is open: told of a revision, and not certainly of a later withdrawal.

    Also across spells: a recipient who missed the withdrawal, because the alert was raised again, has to be told of the next one.
    """
    return _open_for(known, {"perhaps", "yes"})


def told_for_certain(known: Iterable[Delivery]) -> list[Route]:
    """Who has certainly been told that the alert is open, and not yet certainly of a later withdrawal."""
    return _open_for(known, {"yes"})


def _open_for(known: Iterable[Delivery], heard: Collection[Heard]) -> list[Route]:
    routes: dict[Route, bool] = {}
    for delivery in sorted(known, key=lambda each: each.revision):
        if not delivery.notice.is_withdrawn:
            is_heard = delivery.state == DELIVERED or delivery.heard in heard
            routes[delivery.route] = is_heard or routes.get(delivery.route, False)
        elif delivery.state == DELIVERED or delivery.heard == "yes":
            routes[delivery.route] = False
    return [route for route, believes in routes.items() if believes]
