"""How many files and connections this process may have open: raised as far as the system lets us, and shared out.

What connections may not take is kept for health, for the channels over which alerts leave, for the database and for files.
"""

from __future__ import annotations

import resource
from typing import Final

import structlog

from events.errors import ToxwatchError

#: Kept from connections.
RESERVED: Final = 256
#: With fewer than these no service of ours can work.
CONNECTIONS_MIN: Final = 16
#: More is of no use to us.
WANTED_MAX: Final = 65_536

log = structlog.get_logger()


class TooFewDescriptors(ToxwatchError):  # noqa: N818 - reads better where it is caught
    """The system lets this process open too few files."""


def raise_limit() -> int:
    """Raise the limit as far as is allowed and useful, and say how far it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_MAX if hard == resource.RLIM_INFINITY else min(hard, WANTED_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return WANTED_MAX if soft == resource.RLIM_INFINITY else soft


def connections_within(wanted: int) -> int:
    """How many connections there may be: as many as are wanted, or as the limit leaves beside what is kept.

    Raises :class:`TooFewDescriptors` where that is next to none.
    """
    limit = raise_limit()
    possible = min(wanted, limit - RESERVED)
    if possible < CONNECTIONS_MIN:
        raise TooFewDescriptors(
            f"this process may open only {limit} files, and needs {RESERVED + CONNECTIONS_MIN} at least: raise its limit"
            " (ulimit -n, LimitNOFILE= of systemd, ulimits of compose)"
        )
    if possible < wanted:
        trouble = (
            f"this process may open only {limit} files, so that it takes {possible} connections instead of {wanted}: raise its"
            " limit (ulimit -n, LimitNOFILE= of systemd, ulimits of compose)"
        )
        log.warning("few_descriptors", trouble=trouble)
    return possible
