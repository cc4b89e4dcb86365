"""Requests for storage commitment, and a way from a file of the archive to its row.

Safe while release 0002 runs: it does not know the table, and an index changes nothing for it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "commitments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("instances", sa.Text(), nullable=False),
        sa.Column("duplicate", sa.Boolean(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
    )
    op.create_index(
        "ix_commitments_due",
        "commitments",
        ["due_at"],
        sqlite_where=sa.text("reported_at IS NULL"),
        postgresql_where=sa.text("reported_at IS NULL"),
    )
    op.create_index(op.f("ix_commitments_transaction_uid"), "commitments", ["transaction_uid"])
    op.create_index(op.f("ix_instances_digest"), "instances", ["digest"])
    op.create_index(op.f("ix_conflicts_digest"), "conflicts", ["digest"])


def downgrade() -> None:
    op.drop_index(op.f("ix_conflicts_digest"), "conflicts")
    op.drop_index(op.f("ix_instances_digest"), "instances")
    op.drop_table("commitments")
