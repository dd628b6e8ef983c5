"""The alert that countdowns wait because the clock is doubted."""

from __future__ import annotations

from projections.folds.system_alerts import DRIFT
from services.platform.condition_alert import Condition
from services.platform.time_source import Clock


def clock_is_doubted(clock: Clock) -> Condition:
    """While it is, nothing becomes due."""
    return Condition(
        f"{DRIFT}clock",
        clock.doubt,
        "Compare the machine's clock with a reliable one, and set it right; where it is right, run `toxwatch clock confirm`."
        " Until then, judge by hand what time alone would change.",
    )
