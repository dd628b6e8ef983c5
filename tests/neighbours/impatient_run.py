"""``toxwatch run`` that calls a stall what lasts for two seconds, and not for a minute; production has no such switch."""

from __future__ import annotations

import services.cli.main
import services.platform.supervision
import services.runtime.stalls

SECONDS_MAX = 2.0
LOOK_SECONDS = 0.2


def main() -> None:
    """Run the command line."""
    vars(services.runtime.stalls)["STALLED_SECONDS_MAX"] = SECONDS_MAX
    vars(services.platform.supervision)["STUCK_SECONDS"] = SECONDS_MAX
    services.runtime.stalls.StallWatch.run.__defaults__ = (LOOK_SECONDS,)  # type: ignore[misc]
    services.cli.main.main()


if __name__ == "__main__":
    main()
