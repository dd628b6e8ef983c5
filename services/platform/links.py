"""Where links lead that people are sent: to the gateway, which answers with a page."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_HERE: Final = "localhost"


def link_of_alert(base_url: str, alert_id: str) -> str:
    """The page of an alert."""
    return f"{base_url.rstrip('/')}/alerts/{quote(alert_id, safe='')}"


def url_of(address: str) -> str:
    """The URL of a gateway that listens on ``HOST:PORT``; where that is every address of the machine, by the machine's name."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if _is_every_address(host):
        name = socket.gethostname()
        host = name if _HOST_NAME.fullmatch(name) else _HERE
    if ":" in host:
        # The zone of a link-local address begins with a percent sign (RFC 6874).
        host = f"[{host.replace('%', '%25')}]"
    return f"http://{host}:{port}"


def _is_every_address(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return host == "0"
