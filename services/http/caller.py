"""Who is calling: what a verified API key says."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

#: How the sources of a site's own systems begin.
OF_SITE: Final = "urn:site:{}:"


class Role(StrEnum):
    """What a key is for."""

    SITE = "site"
    SPONSOR = "sponsor"
    MEDICAL_MONITOR = "medical-monitor"
    DATA_MANAGER = "data-manager"
    INSPECTOR = "inspector"
    OPERATOR = "operator"


class Caller(NamedTuple):
    """``site`` is set for the role of that name, and for no other; ``more_sites`` where the sender serves several.

    ``sources`` are the patterns of the sources that it was given; None: the usual ones of its role.
    """

    key_id: str
    role: str
    site: str | None
    more_sites: tuple[str, ...] = ()
    sources: tuple[str, ...] | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """Every site that it may write for."""
        return () if self.site is None else (self.site, *self.more_sites)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of a site's sources: those given, or each site's own."""
        if self.sources is not None:
            return self.sources
        return tuple(f"{OF_SITE.format(site)}*" for site in self.sites)

    def site_for(self, named: str | None) -> str | None:
        """The site that a message is filed under, which names one: that one, where it is among the caller's."""
        return named if named in self.sites else self.site
