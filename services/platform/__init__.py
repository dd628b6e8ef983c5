"""What every service stands on: settings, the clock, logs, metrics, supervision, locks."""
