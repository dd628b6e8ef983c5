"""The command line of assessment, end to end: events in, verdicts, explanations and refusals out."""
