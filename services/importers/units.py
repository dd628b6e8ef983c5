"""From the units that SDTM files use to UCUM, as far as they mean one thing for every test."""

from __future__ import annotations

from typing import Final

# What is the same number in another spelling is spelt as the event contract does: 10^3/uL is 10*9/L.
UNITS: Final[dict[str, str]] = {
    **{unit: unit for unit in ("%", "fL", "g/L", "g/dL", "mg/dL", "mg/L", "ng/L", "ng/mL", "pg", "pg/mL", "s", "U/L")},
    **{unit: unit for unit in ("ug/L", "ug/mL", "mmol/L", "umol/L", "nmol/L", "pmol/L", "mmol/mol", "mL/min", "1")},
    **{unit: unit for unit in ("10*3/uL", "10*6/uL", "10*9/L", "10*12/L", "/mm3", "/uL", "meq/L", "m[IU]/L")},
    "10^9/L": "10*9/L",
    "GI/L": "10*9/L",
    "10^3/uL": "10*9/L",
    "10^3/mm3": "10*9/L",
    "THOU/uL": "10*9/L",
    "10^12/L": "10*12/L",
    "TI/L": "10*12/L",
    "10^6/uL": "10*12/L",
    "MILL/uL": "10*12/L",
    "cells/uL": "/uL",
    "fraction of 1": "1",
    "FRACTION": "1",
    "RATIO": "1",
    "fL": "fL",
    "IU/L": "[IU]/L",
    "mIU/L": "m[IU]/L",
    "mU/L": "mU/L",
    "uIU/mL": "u[IU]/mL",
    "mEq/L": "meq/L",
    "mL/min/1.73m2": "mL/min/{1.73_m2}",
    "sec": "s",
    "NO UNITS": "",
}
