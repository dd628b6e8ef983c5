"""The words of the trial: models, codec, rules of a single event."""
