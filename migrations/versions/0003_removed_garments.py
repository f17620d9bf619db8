"""a log of removed garments, by which other processes' vectors follow"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "removed_garment",
        sa.Column("garment_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("catalogue_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["catalogue_id"],
            ["catalogue.id"],
            name=op.f("fk_removed_garment_catalogue_id_catalogue"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("garment_id", name=op.f("pk_removed_garment")),
    )
    op.create_index(
        "ix_removed_garment_catalogue_revision", "removed_garment", ["catalogue_id", "revision"]
    )
    op.create_index("ix_garment_catalogue_garment", "garment", ["catalogue_id", "id"])
    op.add_column(
        "catalogue", sa.Column("log_from", sa.Integer(), server_default="0", nullable=False)
    )
    # Nothing was logged so far: who saw an older revision compares all ids.
    op.execute("UPDATE catalogue SET log_from = revision")


def downgrade() -> None:
    op.drop_column("catalogue", "log_from")
    op.drop_index("ix_garment_catalogue_garment", table_name="garment")
    op.drop_index("ix_removed_garment_catalogue_revision", table_name="removed_garment")
    op.drop_table("removed_garment")
