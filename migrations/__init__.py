"""Alembic migrations: numbered, and never edited after a release."""
