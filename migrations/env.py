"""Run by Alembic: connects migrations to the tables in indexer/tables.py."""

from alembic import context
from sqlalchemy import create_engine

from indexer.tables import Table

config = context.config


def run() -> None:
    """Run the migrations on the given connection, or on the configured address."""
    connection = config.attributes.get("connection")
    if connection is not None:
        context.configure(connection=connection, target_metadata=Table.metadata)
        with context.begin_transaction():
            context.run_migrations()
        return
    engine = create_engine(config.get_main_option("sqlalchemy.url") or "")
    with engine.begin() as opened:
        context.configure(connection=opened, target_metadata=Table.metadata, render_as_batch=True)
        context.run_migrations()


run()
