"""The operator's surface: settings, metrics, health, logs, publishing, backups."""
