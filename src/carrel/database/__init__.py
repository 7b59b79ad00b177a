"""Rows: engines for SQLite and PostgreSQL, units of work, column types, migrations."""
