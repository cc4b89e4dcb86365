"""What goes back to a PACS, and an audit that no row is replaced in.

Safe while release 0006 runs: of what it scores nothing is sent back until this release scores or
reviews something of the study.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "changed_studies",
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_changed_studies_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("study_row", name=op.f("pk_changed_studies")),
    )
    op.create_index(op.f("ix_changed_studies_changed_at"), "changed_studies", ["changed_at"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_deliveries_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "study_row", "destination", name=op.f("uq_deliveries_study_row_destination")
        ),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["destination", "due_at"],
        sqlite_where=sa.text("state = 'due'"),
        postgresql_where=sa.text("state = 'due'"),
    )
    op.create_table(
        "delivered_objects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_row", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_row"],
            ["deliveries.id"],
            name=op.f("fk_delivered_objects_delivery_row_deliveries"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivered_objects")),
        sa.UniqueConstraint(
            "delivery_row",
            "sop_instance_uid",
            name=op.f("uq_delivered_objects_delivery_row_sop_instance_uid"),
        ),
    )

    if op.get_bind().dialect.name == "sqlite":
        # INSERT OR REPLACE deletes without the trigger that refuses to.
        op.execute(
            "CREATE TRIGGER audit_no_replacement BEFORE INSERT ON audit "
            "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
            "BEGIN SELECT RAISE(ABORT, 'the audit can only be added to'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_replacement")
    for table in ("delivered_objects", "deliveries", "changed_studies"):
        op.drop_table(table)
