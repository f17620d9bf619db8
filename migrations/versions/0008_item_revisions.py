"""the catalogue's revision that last changed an item, by which sets of filtered garments follow"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No set was kept before, so that none misses the changes so far: 0 stands for all of them.
    op.add_column("item", sa.Column("revision", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_item_catalogue_revision", "item", ["catalogue_id", "revision"])


def downgrade() -> None:
    op.drop_index("ix_item_catalogue_revision", table_name="item")
    op.drop_column("item", "revision")
