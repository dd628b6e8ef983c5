"""The rules: pure functions of facts, with reasons. No clock, no database, no logging."""
