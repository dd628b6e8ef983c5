"""The envelope of an event, as every test writes it: what a test does not name is that of a site's own system."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

TRIAL: Final = "NCT02977156"


def event(stem: str, data: Json, *, subject: str | None, **attributes: Any) -> Json:
    """An event of ``toxwatch.<stem>.v1``: the test gives its ``id`` and ``time``, and any attribute that is not the usual one.

    ``...`` leaves an attribute, or a field of the data, out. An event about no subject has no site either, and names its source.
    """
    site = attributes["site"] if "site" in attributes else ... if subject is None else subject[:4]
    whole = {
        "specversion": "1.0",
        "id": ...,
        "source": f"urn:site:{site}:edc",
        "type": f"toxwatch.{stem}.v1",
        "subject": ... if subject is None else subject,
        "site": site,
        "time": ...,
        "trial": TRIAL,
        "data": without(data),
        **attributes,
    }
    return without(whole)


def without(fields: Json) -> Json:
    """The fields that are not left out."""
    return {name: value for name, value in fields.items() if value is not ...}
