"""The first tables: associations, studies, instances, results, the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "associations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listener", sa.Text(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("called_ae_title", sa.Text(), nullable=False),
        sa.Column("peer_address", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("stored", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("conflicts", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("last_refusal", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_associations")),
    )
    op.create_index(op.f("ix_associations_opened_at"), "associations", ["opened_at"], unique=False)

    op.create_table(
        "patients",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity_digest", sa.String(length=64), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=True),
        sa.Column("issuer_of_patient_id", sa.Text(), nullable=True),
        sa.Column("patient_name", sa.Text(), nullable=True),
        sa.Column("patient_birth_date", sa.Date(), nullable=True),
        sa.Column("patient_sex", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint("identity_digest", name=op.f("uq_patients_identity_digest")),
    )
    op.create_index(op.f("ix_patients_patient_id"), "patients", ["patient_id"], unique=False)

    op.create_table(
        "studies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("patient_row", sa.Integer(), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("study_date", sa.Date(), nullable=True),
        sa.Column("study_time", sa.Time(), nullable=True),
        sa.Column("study_id", sa.Text(), nullable=True),
        sa.Column("study_description", sa.Text(), nullable=True),
        sa.Column("referring_physician", sa.Text(), nullable=True),
        sa.Column("institution", sa.Text(), nullable=True),
        sa.Column("body_part", sa.Text(), nullable=True),
        sa.Column("age_years", sa.Float(precision=53), nullable=True),
        sa.Column("first_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("top_probability", sa.Float(precision=53), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_row"], ["patients.id"], name=op.f("fk_studies_patient_row_patients")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
        sa.UniqueConstraint("study_instance_uid", name=op.f("uq_studies_study_instance_uid")),
    )
    op.create_index(
        op.f("ix_studies_accession_number"), "studies", ["accession_number"], unique=False
    )
    op.create_index(
        op.f("ix_studies_last_received_at"), "studies", ["last_received_at"], unique=False
    )
    op.create_index(op.f("ix_studies_patient_row"), "studies", ["patient_row"], unique=False)
    op.create_index(op.f("ix_studies_study_date"), "studies", ["study_date"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("times_sent", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_outbox_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("study_row", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )

    op.create_index(
        op.f("ix_studies_verdict_top_probability_id"),
        "studies",
        ["verdict", "top_probability", "id"],
        unique=False,
    )

    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.Text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=True),
        sa.Column("series_number", sa.Integer(), nullable=True),
        sa.Column("series_description", sa.Text(), nullable=True),
        sa.Column("body_part", sa.Text(), nullable=True),
        sa.Column("manufacturer", sa.Text(), nullable=True),
        sa.Column("manufacturer_model", sa.Text(), nullable=True),
        sa.Column("station_name", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_series_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint(
            "study_row", "series_instance_uid", name=op.f("uq_series_study_row_series_instance_uid")
        ),
    )
    op.create_table(
        "verdict_revisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("top_probability", sa.Float(precision=53), nullable=True),
        sa.Column("images_received", sa.Integer(), nullable=False),
        sa.Column("images_scored", sa.Integer(), nullable=False),
        sa.Column("images_not_scored", sa.Integer(), nullable=False),
        sa.Column("images_waiting", sa.Integer(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_verdict_revisions_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict_revisions")),
        sa.UniqueConstraint(
            "study_row", "revision", name=op.f("uq_verdict_revisions_study_row_revision")
        ),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("series_row", sa.Integer(), nullable=False),
        sa.Column("association_row", sa.Integer(), nullable=False),
        sa.Column("patient_row", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("instance_number", sa.Integer(), nullable=True),
        sa.Column("view_position", sa.Text(), nullable=True),
        sa.Column("laterality", sa.Text(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("columns", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["association_row"],
            ["associations.id"],
            name=op.f("fk_instances_association_row_associations"),
        ),
        sa.ForeignKeyConstraint(
            ["patient_row"], ["patients.id"], name=op.f("fk_instances_patient_row_patients")
        ),
        sa.ForeignKeyConstraint(
            ["series_row"], ["series.id"], name=op.f("fk_instances_series_row_series")
        ),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_instances_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_instances_sop_instance_uid")),
    )
    op.create_index(
        op.f("ix_instances_association_row"), "instances", ["association_row"], unique=False
    )
    op.create_index(op.f("ix_instances_patient_row"), "instances", ["patient_row"], unique=False)
    op.create_index(op.f("ix_instances_series_row"), "instances", ["series_row"], unique=False)
    op.create_index(op.f("ix_instances_study_row"), "instances", ["study_row"], unique=False)
    op.create_index(
        "ix_instances_waiting",
        "instances",
        ["study_row"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )

    op.create_table(
        "conflicts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_row", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("association_row", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["association_row"],
            ["associations.id"],
            name=op.f("fk_conflicts_association_row_associations"),
        ),
        sa.ForeignKeyConstraint(
            ["instance_row"], ["instances.id"], name=op.f("fk_conflicts_instance_row_instances")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflicts")),
        sa.UniqueConstraint(
            "instance_row", "digest", name=op.f("uq_conflicts_instance_row_digest")
        ),
    )
    op.create_index(
        op.f("ix_conflicts_association_row"), "conflicts", ["association_row"], unique=False
    )
    op.create_index(
        op.f("ix_conflicts_study_instance_uid"), "conflicts", ["study_instance_uid"], unique=False
    )

    op.create_table(
        "exclusions",
        sa.Column("instance_row", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("excluded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_row"], ["instances.id"], name=op.f("fk_exclusions_instance_row_instances")
        ),
        sa.PrimaryKeyConstraint("instance_row", name=op.f("pk_exclusions")),
    )
    op.create_index(op.f("ix_exclusions_reason"), "exclusions", ["reason"], unique=False)

    op.create_table(
        "scores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_row", sa.Integer(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("model_digest", sa.String(length=64), nullable=False),
        sa.Column("probability", sa.Float(precision=53), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("high_sensitivity", sa.Float(precision=53), nullable=False),
        sa.Column("high_specificity", sa.Float(precision=53), nullable=False),
        sa.Column("hottest_x", sa.Float(precision=53), nullable=True),
        sa.Column("hottest_y", sa.Float(precision=53), nullable=True),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_row"], ["instances.id"], name=op.f("fk_scores_instance_row_instances")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scores")),
        sa.UniqueConstraint(
            "instance_row",
            "model_name",
            "model_version",
            name=op.f("uq_scores_instance_row_model_name_model_version"),
        ),
    )


def downgrade() -> None:
    for table in (
        "scores",
        "exclusions",
        "conflicts",
        "instances",
        "verdict_revisions",
        "series",
        "outbox",
        "studies",
        "patients",
        "associations",
    ):
        op.drop_table(table)
