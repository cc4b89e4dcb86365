"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.audit.section import Section, Table

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def markdown(title: str, sections: Sequence[Section]) -> str:
    """Return the sections as Markdown with tables; what came from outside is escaped."""
    parts = [f"# {_escaped(title)}"]
    for section in sections:
        if section.title:
            parts.append(f"## {_escaped(section.title)}")
        parts.extend(_escaped(sentence) for sentence in section.sentences)
        if section.table is not None:
            parts.append(_table(section.table))
        if section.picture:
            parts.append(f"![{_escaped(section.caption)}]({section.picture})")
            parts.append(f"*{_escaped(section.caption)}*")
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _table(table: Table) -> str:
    rule = ("---:" if i >= table.numbers_from else "---" for i in range(len(table.header)))
    rows = (map(_escaped, row) for row in table.rows)
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in (map(_escaped, table.header), rule, *rows)
    )
