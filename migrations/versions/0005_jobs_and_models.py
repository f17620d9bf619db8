"""imports over HTTP, known to every worker; what the models of a catalogue were set to"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("job_id", sa.String(length=16), nullable=False),
        sa.Column("catalogue", sa.String(length=100), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job")),
    )
    op.create_index("ix_job_catalogue_created", "job", ["catalogue", "created_at"])
    op.add_column("catalogue", sa.Column("models", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("catalogue", "models")
    op.drop_index("ix_job_catalogue_created", table_name="job")
    op.drop_table("job")
