"""Who may read what (integrating.md, "Reading")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import Request

from projections.store.engine.database import StoreUnavailable
from services.http.caller import Caller
from services.http.problems import Problem

#: Says who is calling, or raises a :class:`Problem` where that cannot be told.
Authenticate = Callable[[Request], Caller]

SITE: Final = "site"
OPERATOR: Final = "operator"
#: Those who read everything clinical.
READERS: Final = ("medical-monitor", "data-manager", "inspector")


#: Nobody has this site, and so a key of role site that has none sees nothing.
NO_SITE: Final = ""


class Access:
    """Gives each route the check that lets some roles in; the caller is then in ``request.state.caller``."""

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate

    def of(self, *roles: str) -> Callable[[Request], None]:
        """A dependency that lets these roles in, and nobody else."""

        def let_in(request: Request) -> None:
            caller = self._authenticate(request)
            if caller.role not in roles:
                raise Problem(403, "Not for this key", f"a {caller.role} key may not read {request.url.path}")
            request.state.caller = caller

        return let_in

    def still(self, request: Request) -> bool:
        """Whether the caller of an open stream may go on: a key may be revoked, or expire, meanwhile."""
        try:
            return self._authenticate(request) == caller_of(request)
        except (Problem, StoreUnavailable):
            return False


def caller_of(request: Request) -> Caller:
    """Who was let in."""
    caller: Caller = request.state.caller
    return caller


def own_sites(request: Request) -> tuple[str, ...] | None:
    """The sites to which what the caller may see is limited; None: to none."""
    caller = caller_of(request)
    return (caller.sites or (NO_SITE,)) if caller.role == SITE else None


def own_key(request: Request) -> str | None:
    """The key to whose input a caller is limited that several sites share: what the sites sent themselves is not its affair."""
    caller = caller_of(request)
    return caller.key_id if caller.more_sites else None
