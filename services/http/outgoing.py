"""How we speak HTTP to others: through a proxy only where somebody has said so."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx2
from pydantic import AfterValidator

#: Says to use what HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name.
ENVIRONMENT: Final = "environment"


def proxy_of(said: str) -> str:
    """The proxy. Raises ``ValueError`` where it is none."""
    if said != ENVIRONMENT and not (urlsplit(said).scheme in ("http", "https") and urlsplit(said).hostname):
        raise ValueError(
            f'neither an address of the form http://host:port, nor "{ENVIRONMENT}" (HTTPS_PROXY, NO_PROXY …)'
        )
    return said


Proxy = Annotated[str, AfterValidator(proxy_of)]


def client_options(proxy: str | None) -> dict[str, Any]:
    """The options of a client of httpx2. A variable of the environment, set for something else, redirects nothing."""
    if proxy == ENVIRONMENT:
        return {"trust_env": True}
    # Authorities that SSL_CERT_FILE or SSL_CERT_DIR names are believed in any case.
    return {"trust_env": False, "proxy": proxy, "verify": httpx2.create_ssl_context()}
