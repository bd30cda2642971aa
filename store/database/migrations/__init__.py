"""Alembic's environment: how the database's tables came to be."""
