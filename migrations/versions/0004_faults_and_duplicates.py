"""faults of items, and which items repeat another group's picture"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fault",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("catalogue_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(length=200), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["catalogue_id"],
            ["catalogue.id"],
            name=op.f("fk_fault_catalogue_id_catalogue"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fault")),
    )
    op.create_index("ix_fault_catalogue_item", "fault", ["catalogue_id", "item_id"])
    op.add_column("item", sa.Column("duplicate_of", sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column("item", "duplicate_of")
    op.drop_index("ix_fault_catalogue_item", table_name="fault")
    op.drop_table("fault")
