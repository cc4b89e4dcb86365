"""The release after this one, as far as its migrations: they only add, as ours must."""

from __future__ import annotations

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

import migrations

_ADDS = '''
"""A column that may be empty, one with a default of the server, and a table."""
import sqlalchemy as sa
from alembic import op

revision = "9998"
down_revision = "{head}"
branch_labels = depends_on = None


def upgrade():
    op.add_column("instances", sa.Column("later_word", sa.Text(), nullable=True))
    op.add_column(
        "studies", sa.Column("later_count", sa.Integer(), nullable=False, server_default="7")
    )
    op.add_column("scores", sa.Column("later_mark", sa.Boolean(), nullable=True))
    op.create_table(
        "later_notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("score_row", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["score_row"], ["scores.id"], name="fk_later_notes"),
        sa.PrimaryKeyConstraint("id", name="pk_later_notes"),
    )
    op.create_index("ix_later_notes_score_row", "later_notes", ["score_row"])


def downgrade():
    raise NotImplementedError
'''

_INDEXES = '''
"""An index on a table that is in use."""
from migrations.indexes import build_index

revision = "9999"
down_revision = "9998"
branch_labels = depends_on = None


def upgrade():
    build_index("ix_instances_later_word", "instances", ["later_word"])


def downgrade():
    raise NotImplementedError
'''


def later_release(folder: Path, **others: str) -> Config:
    """Return the configuration of a release that has our migrations and two more.

    Parameters
    ----------
    others
        Texts of other migrations in place of the two, by their names; ``{head}`` is our newest.
    """
    folder.mkdir()
    head = ScriptDirectory.from_config(migrations.configuration()).get_current_head()
    for name, text in (others or {"adds": _ADDS, "indexes": _INDEXES}).items():
        (folder / f"{name}.py").write_text(text.replace("{head}", str(head)))
    config = migrations.configuration()
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"migrations:versions\n{folder}")
    return config
