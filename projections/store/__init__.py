"""The projections in a database: tables, bulk writes, and what is read from them. SQLAlchemy; SQLite and PostgreSQL."""
