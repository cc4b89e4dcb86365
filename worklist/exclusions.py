"""Which images have no score, and why, as a table in a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from worklist.plain_text import plain


def exclusion_table(reasons: Mapping[str, str]) -> Table:
    """Return a table of the reasons, by the name under which an image is known to its reader."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Not scored", overflow="fold")
    table.add_column("Why", overflow="fold")
    for name, reason in sorted(reasons.items()):
        table.add_row(Text(plain(name)), Text(plain(reason)))
    return table
