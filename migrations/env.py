"""Run by Alembic: connects migrations to the tables in indexer/storage/tables.py."""

from typing import Any

from alembic import context
from sqlalchemy import create_engine

from indexer.storage.tables import SqlTable, is_declared

config = context.config
# The words' index is the database's own and no table's: see 0010_words.py.
DECLARED: dict[str, Any] = {"target_metadata": SqlTable.metadata, "include_name": is_declared}


def run() -> None:
    """Run the migrations on the given connection, or on the configured address."""
    connection = config.attributes.get("connection")
    if connection is not None:
        context.configure(connection=connection, **DECLARED)
        with context.begin_transaction():
            context.run_migrations()
        return
    engine = create_engine(config.get_main_option("sqlalchemy.url") or "")
    with engine.begin() as opened:
        context.configure(connection=opened, render_as_batch=True, **DECLARED)
        context.run_migrations()


run()
