"""The trial that a deployment's settings name."""

from __future__ import annotations

from projections.folds.trial import Trial
from services.platform.settings import Settings
from services.trials.protocols import find_protocol


def trial_of(settings: Settings) -> Trial:
    """Its protocol, and the deployment's own source. Raises ``ProtocolError`` where there is no such protocol."""
    return Trial(find_protocol(settings.protocol), settings.source)
