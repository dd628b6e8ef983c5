"""The dispatcher: from the alert log to people, with a ledger of who was told what."""
