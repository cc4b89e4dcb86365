"""Operating points that are set here.

Safe while release 0005 runs: it judges by the model's own points, as before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operating_points",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("high_sensitivity", sa.Float(precision=53), nullable=False),
        sa.Column("high_specificity", sa.Float(precision=53), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operating_points")),
        sa.UniqueConstraint(
            "model_name",
            "model_version",
            "model_digest",
            "revision",
            name="uq_operating_points_revision",
        ),
    )


def downgrade() -> None:
    op.drop_table("operating_points")
