"""The night: batches, the studies that are fetched for them, canaries; who is at a delivery.

Safe while release 0007 runs: it knows nothing of them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In place: SQLite cannot make a table anew to which others refer.
    for column in (
        sa.Column("rereadings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("is_told", sa.Boolean(), server_default=sa.true(), nullable=False),
    ):
        op.add_column("instances", column)
    for name in ("model_name", "model_version"):
        op.add_column("exclusions", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("night", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("arrived", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("schedule", "night", name=op.f("uq_batches_schedule_night")),
    )
    op.create_index(op.f("ix_batches_night"), "batches", ["night"])
    op.create_index(op.f("ix_batches_state"), "batches", ["state"])
    op.create_table(
        "batch_studies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_row", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("here", sa.Integer(), nullable=True),
        sa.Column("arrived", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_row"], ["batches.id"], name=op.f("fk_batch_studies_batch_row_batches")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_studies")),
        sa.UniqueConstraint(
            "batch_row",
            "study_instance_uid",
            name=op.f("uq_batch_studies_batch_row_study_instance_uid"),
        ),
    )
    op.create_index(
        op.f("ix_batch_studies_study_instance_uid"), "batch_studies", ["study_instance_uid"]
    )
    op.create_index(
        "ix_batch_studies_due",
        "batch_studies",
        ["batch_row", "due_at"],
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_table(
        "batch_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_row", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_row"], ["batches.id"], name=op.f("fk_batch_files_batch_row_batches")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_files")),
        sa.UniqueConstraint("batch_row", "path", name=op.f("uq_batch_files_batch_row_path")),
    )
    op.create_index(op.f("ix_batch_files_sop_instance_uid"), "batch_files", ["sop_instance_uid"])
    op.create_table(
        "mornings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mornings")),
        sa.UniqueConstraint("name", "day", name=op.f("uq_mornings_name_day")),
    )
    op.create_table(
        "canary_rounds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canary_rounds")),
        sa.UniqueConstraint("night", name=op.f("uq_canary_rounds_night")),
    )
    op.create_index(op.f("ix_canary_rounds_asked_at"), "canary_rounds", ["asked_at"])
    op.create_table(
        "canary_scores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_row", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["round_row"],
            ["canary_rounds.id"],
            name=op.f("fk_canary_scores_round_row_canary_rounds"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canary_scores")),
        sa.UniqueConstraint("round_row", "name", name=op.f("uq_canary_scores_round_row_name")),
    )
    op.create_index(op.f("ix_canary_scores_name"), "canary_scores", ["name"])


def downgrade() -> None:
    for table in ("canary_scores", "canary_rounds"):
        op.drop_table(table)
    for table in ("mornings", "batch_files", "batch_studies", "batches"):
        op.drop_table(table)
    for table, columns in (
        ("deliveries", ["taken_at"]),
        ("exclusions", ["model_name", "model_version"]),
        ("instances", ["rereadings", "is_told"]),
    ):
        for column in columns:
            op.drop_column(table, column)
