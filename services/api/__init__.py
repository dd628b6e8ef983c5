"""The routes that read: alerts, assessment, questions, dead letters."""
