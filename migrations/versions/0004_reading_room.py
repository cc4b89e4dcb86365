"""Lanes, the quality of images, and heatmaps.

Safe while release 0003 runs: what it writes gets the lane of what is fresh, and it does not know
the tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("instances", sa.Column("lane", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_instances_queue",
        "instances",
        ["lane", "id"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "qualities",
        sa.Column("instance_row", sa.Integer(), nullable=False),
        sa.Column("black_share", sa.Float(precision=53), nullable=False),
        sa.Column("white_share", sa.Float(precision=53), nullable=False),
        sa.Column("contrast", sa.Float(precision=53), nullable=False),
        sa.Column("field_share", sa.Float(precision=53), nullable=False),
        sa.Column("longer_side", sa.Integer(), nullable=False),
        sa.Column("view_spread", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(
            ["instance_row"], ["instances.id"], name=op.f("fk_qualities_instance_row_instances")
        ),
        sa.PrimaryKeyConstraint("instance_row", name=op.f("pk_qualities")),
    )
    op.create_table(
        "heatmaps",
        sa.Column("score_row", sa.Integer(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("outside_share", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(
            ["score_row"], ["scores.id"], name=op.f("fk_heatmaps_score_row_scores")
        ),
        sa.PrimaryKeyConstraint("score_row", name=op.f("pk_heatmaps")),
    )


def downgrade() -> None:
    op.drop_table("heatmaps")
    op.drop_table("qualities")
    op.drop_index("ix_instances_queue", "instances")
    op.drop_column("instances", "lane")
