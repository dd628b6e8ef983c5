"""The ways to reach people: console, e-mail, signed webhook."""
