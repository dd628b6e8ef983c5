"""``toxwatch run`` that calls a stall what lasts for two seconds, and not for a minute; production has no such switch."""

from __future__ import annotations

import services.cli
import services.loops
import services.stalls

SECONDS_MAX = 2.0
LOOK_SECONDS = 0.2


def main() -> None:
    """Run the command line."""
    vars(services.stalls)["STALLED_SECONDS_MAX"] = SECONDS_MAX
    vars(services.loops)["STUCK_SECONDS"] = SECONDS_MAX
    services.stalls.StallWatch.run.__defaults__ = (LOOK_SECONDS,)  # type: ignore[misc]
    services.cli.main()


if __name__ == "__main__":
    main()
