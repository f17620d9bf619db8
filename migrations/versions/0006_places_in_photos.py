"""which garment of a photo is an item's, and where in it the feed says it is"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "item_photo",
        sa.Column("wanted", sa.String(length=20), server_default=sa.text("''"), nullable=False),
    )
    op.add_column("item_photo", sa.Column("place", sa.JSON(), nullable=True))
    # So far the item's slot chose the garment in each of its photos.
    op.execute(
        "UPDATE item_photo SET wanted = COALESCE("
        "(SELECT slot FROM item WHERE item.id = item_photo.item_id), '')"
    )


def downgrade() -> None:
    op.drop_column("item_photo", "place")
    op.drop_column("item_photo", "wanted")
