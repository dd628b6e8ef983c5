"""The log in, the verdicts out: events from files, judged at an instant, shown as a table or as JSON."""
