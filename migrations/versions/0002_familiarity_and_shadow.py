"""How strange an image is to the classifier, and the scores of a shadow model.

Safe while release 0001 runs: it knows neither the new columns, which may be empty, nor the table.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("scores", sa.Column("strangeness", sa.Float(precision=53), nullable=True))
    op.add_column("scores", sa.Column("strangeness_limit", sa.Float(precision=53), nullable=True))
    op.create_table(
        "shadow_scores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_row", sa.Integer(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("probability", sa.Float(precision=53), nullable=True),
        sa.Column("high_sensitivity", sa.Float(precision=53), nullable=False),
        sa.Column("high_specificity", sa.Float(precision=53), nullable=False),
        sa.Column("hottest_x", sa.Float(precision=53), nullable=True),
        sa.Column("hottest_y", sa.Float(precision=53), nullable=True),
        sa.Column("strangeness", sa.Float(precision=53), nullable=True),
        sa.Column("strangeness_limit", sa.Float(precision=53), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_row"], ["instances.id"], name=op.f("fk_shadow_scores_instance_row_instances")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_scores")),
        sa.UniqueConstraint(
            "instance_row",
            "model_name",
            "model_version",
            name=op.f("uq_shadow_scores_instance_row_model_name_model_version"),
        ),
    )


def downgrade() -> None:
    op.drop_table("shadow_scores")
    with op.batch_alter_table("scores") as batch:
        batch.drop_column("strangeness_limit")
        batch.drop_column("strangeness")
