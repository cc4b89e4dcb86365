"""Which model is champion and which its shadow; how long a score took.

Safe while release 0008 runs: its workers go by their settings, as before, and say nothing of time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In place: SQLite cannot make a table anew to which others refer.
    for table in ("scores", "shadow_scores"):
        op.add_column(table, sa.Column("seconds", sa.Float(precision=53), nullable=True))
    op.create_table(
        "model_appointments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=True),
        sa.Column("model_version", sa.Text(), nullable=True),
        sa.Column("model_digest", sa.String(length=64), nullable=True),
        sa.Column("high_sensitivity", sa.Float(precision=53), nullable=True),
        sa.Column("high_specificity", sa.Float(precision=53), nullable=True),
        sa.Column("appointed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appointed_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("previous_row", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["previous_row"],
            ["model_appointments.id"],
            name=op.f("fk_model_appointments_previous_row_model_appointments"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_appointments")),
        sa.UniqueConstraint("number", "role", name=op.f("uq_model_appointments_number_role")),
    )
    op.create_index(
        op.f("ix_model_appointments_previous_row"), "model_appointments", ["previous_row"]
    )


def downgrade() -> None:
    op.drop_table("model_appointments")
    for table in ("shadow_scores", "scores"):
        op.drop_column(table, "seconds")
