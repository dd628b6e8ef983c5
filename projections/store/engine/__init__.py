"""The database: connections, locks, tables and their versions."""
