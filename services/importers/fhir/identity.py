"""What names the record of a resource, so that its versions are one record, and two resources are two."""

from __future__ import annotations

import json
from hashlib import blake2b

from services.importers.fhir.bundles import BundledResource

_DIGEST_BYTES = 8


def record_id(entry: BundledResource) -> str:
    """The resource's id, with its container's where it is contained; else the bundle's name for it, an identifier, a digest.

    An identifier alone does not name a resource: a laboratory's accession number is that of a whole sample.
    """
    identity = entry.resource.get("id")
    if isinstance(identity, str | int) and str(identity).strip():
        own = str(identity).strip()
        own = f"{own}~{entry.twin}" if entry.twin else own
        return f"{record_id(entry.inside)}.{own}" if entry.inside is not None else own
    if entry.full_url:
        return entry.full_url.rpartition("/")[2].rpartition(":")[2]
    text = json.dumps(entry.resource, sort_keys=True, default=str, ensure_ascii=True)
    return f"{entry.kind}-{blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()}"
