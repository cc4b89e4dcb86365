"""The desk: what a page of the list needs, users, reviews and the audit.

Safe while release 0004 runs. The place of what it scores is computed by the database; what it takes
in can be found by free text, by its sender and by a reason, and has its counts, once this release
scores or sees it again. On PostgreSQL the table of studies is written anew, under a lock, for its
computed column.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from screening.domain.search_words import LONGEST, normal, words_of

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
    _add_users()
    _add_reviews()
    _add_audit()


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
            {"study_row": row, "word": word}
            for row, uid, *values in found
            for word in words_of(*values) | {normal(uid)[:LONGEST]}
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


def _add_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "web_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user_row", sa.Integer(), nullable=False),
        sa.Column("form_secret", sa.String(length=64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_row"], ["users.id"], name=op.f("fk_web_sessions_user_row_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_web_sessions_digest")),
    )
    op.create_index("ix_web_sessions_user_row", "web_sessions", ["user_row"])
    op.create_table(
        "sign_in_links",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user_row", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_row"], ["users.id"], name=op.f("fk_sign_in_links_user_row_users")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_links")),
    )
    op.create_index("ix_sign_in_links_user_row", "sign_in_links", ["user_row"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_tokens_name")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failures")),
    )
    op.create_index("ix_sign_in_failures_name_at", "sign_in_failures", ["name", "at"])
    op.create_index("ix_sign_in_failures_address_at", "sign_in_failures", ["address", "at"])


def _add_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_row", sa.Integer(), nullable=False),
        sa.Column("instance_row", sa.Integer(), nullable=True),
        sa.Column("user_row", sa.Integer(), nullable=False),
        sa.Column("opinion", sa.String(length=16), nullable=True),
        sa.Column("finding", sa.String(length=32), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_row"], ["studies.id"], name=op.f("fk_reviews_study_row_studies")
        ),
        sa.ForeignKeyConstraint(
            ["instance_row"], ["instances.id"], name=op.f("fk_reviews_instance_row_instances")
        ),
        sa.ForeignKeyConstraint(["user_row"], ["users.id"], name=op.f("fk_reviews_user_row_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
    )
    op.create_index("ix_reviews_study_row_id", "reviews", ["study_row", "id"])
    op.create_index("ix_reviews_instance_row", "reviews", ["instance_row"])
    op.create_index("ix_reviews_user_row", "reviews", ["user_row"])
    op.create_index("ix_reviews_at", "reviews", ["at"])


def _add_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_study_instance_uid", "audit", ["study_instance_uid"])
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit can only be added to'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit can only be added to'; END $$",
        "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()",
    ],
}


def downgrade() -> None:
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_is_append_only()")
    for table in ("reviews", "sign_in_failures", "tokens", "sign_in_links", "web_sessions"):
        op.drop_table(table)
    op.drop_table("users")
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
