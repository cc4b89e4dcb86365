"""Patients who became one, and studies that became another's; what a hospital's feed has told.

Safe while release 0008 runs: it knows nothing of them, and reads and files studies as before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("old_patient_id", sa.Text(), nullable=False),
        sa.Column("old_issuer", sa.Text(), nullable=True),
        sa.Column("survivor_row", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["survivor_row"], ["patients.id"], name=op.f("fk_identities_survivor_row_patients")
        ),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_identities_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
    )
    for column in ("old_patient_id", "survivor_row", "study_row"):
        op.create_index(op.f(f"ix_identities_{column}"), "identities", [column])
    op.create_table(
        "conflict_patients",
        sa.Column("conflict_row", sa.Integer(), nullable=False),
        sa.Column("patient_row", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conflict_row"],
            ["conflicts.id"],
            name=op.f("fk_conflict_patients_conflict_row_conflicts"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_row"], ["patients.id"], name=op.f("fk_conflict_patients_patient_row_patients")
        ),
        sa.PrimaryKeyConstraint("conflict_row", name=op.f("pk_conflict_patients")),
    )
    op.create_index(op.f("ix_conflict_patients_patient_row"), "conflict_patients", ["patient_row"])
    op.create_table(
        "adt_messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adt_messages")),
        sa.UniqueConstraint(
            "application", "control_id", "digest", name=op.f("uq_adt_messages_message")
        ),
    )


def downgrade() -> None:
    for table in ("adt_messages", "conflict_patients", "identities"):
        op.drop_table(table)
