"""What a page of the worklist needs: each study's place, counts, words, reasons and review.

Safe while release 0004 runs. The place of what it scores is computed by the database; what it takes
in can be found by free text, by its sender and by a reason once this release scores or sees it
again. On PostgreSQL the table of studies is written anew, under a lock, for its computed column.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from screening.domain.search_words import words_of

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# By the rule of screening.domain.triage, as it was at this release.
_VERDICTS = ("suspected", "doubtful", "waiting", "not_scored", "clear")
_PLACE = " ".join(
    [
        "CASE verdict",
        *(f"WHEN '{verdict}' THEN {200 * index}" for index, verdict in enumerate(_VERDICTS)),
        "END + lane * 100 + CASE WHEN top_probability IS NULL THEN 20",
        *(f"WHEN top_probability >= {(19 - band) / 20} THEN {band}" for band in range(20)),
        "END",
    ]
)
_COUNTS = ("images_received", "images_scored", "images_not_scored")
_INDEXES = (
    ("place", "id", "study_date"),
    ("review", "place", "id"),
    ("body_part", "place", "id"),
    ("calling_ae_title", "place", "id"),
    ("study_date", "place", "id"),
)
_TOGETHER = 1000


def _name(columns: tuple[str, ...]) -> str:
    return f"ix_studies_{'_'.join(columns)}"


def upgrade() -> None:
    op.add_column("studies", sa.Column("lane", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("studies", sa.Column("calling_ae_title", sa.Text(), nullable=True))
    for name in _COUNTS:
        op.add_column("studies", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("studies", sa.Column("review", sa.String(length=16), nullable=True))
    op.execute(
        """
        UPDATE studies SET
          lane = coalesce((SELECT min(lane) FROM instances WHERE study_row = studies.id), 0),
          calling_ae_title = (
            SELECT a.calling_ae_title FROM instances i JOIN associations a
            ON a.id = i.association_row WHERE i.study_row = studies.id ORDER BY i.id LIMIT 1),
          images_received = (SELECT count(*) FROM instances WHERE study_row = studies.id),
          images_scored = (
            SELECT count(*) FROM instances WHERE study_row = studies.id AND state = 'scored'),
          images_not_scored = (
            SELECT count(*) FROM instances WHERE study_row = studies.id AND state = 'not_scored')
        """
    )
    # SQLite cannot add a stored one, PostgreSQL before 18 has no other.
    stored = True if op.get_bind().dialect.name == "postgresql" else None
    computed = sa.Computed(_PLACE, persisted=stored)
    op.add_column("studies", sa.Column("place", sa.Integer(), computed, nullable=True))
    op.drop_index("ix_studies_verdict_top_probability_id", "studies")
    op.drop_index("ix_studies_study_date", "studies")
    for columns in _INDEXES:
        op.create_index(_name(columns), "studies", list(columns))
    _add_words()
    _add_reasons()


def _add_words() -> None:
    word = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    table = op.create_table(
        "study_words",
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("word", word, nullable=False),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_study_words_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("study_row", "word", name=op.f("pk_study_words")),
    )
    connection = op.get_bind()
    query = sa.text(
        "SELECT s.id, s.study_instance_uid, s.accession_number, p.patient_name, p.patient_id "
        "FROM studies s JOIN patients p ON p.id = s.patient_row WHERE s.id > :after "
        "ORDER BY s.id LIMIT :most"
    )
    after = 0
    while found := connection.execute(query, {"after": after, "most": _TOGETHER}).all():
        rows = [
            {"study_row": row, "word": word} for row, *values in found for word in words_of(*values)
        ]
        op.bulk_insert(table, rows)
        after = found[-1][0]
    op.create_index("ix_study_words_word_study_row", "study_words", ["word", "study_row"])


def _add_reasons() -> None:
    op.create_table(
        "study_reasons",
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_study_reasons_study_row_studies")
        ),
        sa.PrimaryKeyConstraint("study_row", "reason", name=op.f("pk_study_reasons")),
    )
    op.execute(
        """
        INSERT INTO study_reasons (study_row, reason, place)
        SELECT DISTINCT s.id, e.reason, s.place FROM exclusions e
        JOIN instances i ON i.id = e.instance_row JOIN studies s ON s.id = i.study_row
        """
    )
    op.create_index(
        "ix_study_reasons_reason_place_study_row",
        "study_reasons",
        ["reason", "place", "study_row"],
    )


def downgrade() -> None:
    op.drop_table("study_reasons")
    op.drop_table("study_words")
    for columns in _INDEXES:
        op.drop_index(_name(columns), "studies")
    op.drop_column("studies", "place")
    for name in ("review", *_COUNTS, "calling_ae_title", "lane"):
        op.drop_column("studies", name)
    op.create_index("ix_studies_study_date", "studies", ["study_date"])
    op.create_index(
        "ix_studies_verdict_top_probability_id", "studies", ["verdict", "top_probability", "id"]
    )
