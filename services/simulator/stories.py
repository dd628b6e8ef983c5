"""Every story there is, by the name that the truth file uses."""

from __future__ import annotations

from typing import Final

from services.simulator.stories_lasting import (
    after_the_window,
    continued_rows,
    flu_like_exempt,
    late_rise,
    seven_bare_days,
    stop_date_corrected,
    two_rows,
)
from services.simulator.stories_other import (
    hys_law,
    injection_site_asked,
    injection_site_necrosis,
    judged_dose_limiting,
    stopped_unexplained,
    uneventful,
    unreported_lymphopenia,
)
from services.simulator.stories_severity import (
    causality_missing,
    grade_missing,
    immune_colitis,
    late_report,
    life_threatening,
    overruled,
    part_b_signal,
    retracted,
)
from services.simulator.telling import Story

STORIES: Final[dict[str, Story]] = {
    story.name: story
    for story in (
        uneventful,
        flu_like_exempt,
        causality_missing,
        overruled,
        retracted,
        after_the_window,
        judged_dose_limiting,
        two_rows,
        grade_missing,
        seven_bare_days,
        late_report,
        stopped_unexplained,
        injection_site_asked,
        stop_date_corrected,
        late_rise,
        unreported_lymphopenia,
        life_threatening,
        hys_law,
        immune_colitis,
        injection_site_necrosis,
        part_b_signal,
        continued_rows,
    )
}
