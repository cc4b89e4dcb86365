"""Images that were not scored, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from screening.records.retry import Unscored
from worklist.plain_text import plain


def unscored_table(images: Sequence[Unscored]) -> RenderableType:
    """Return a line for each image: its study, itself and why it was not scored."""
    if not images:
        return Group()
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("Study", "SOP Instance UID", "Why"):
        table.add_column(name, overflow="fold")
    for image in images:
        table.add_row(
            Text(plain(image.study_instance_uid)),
            Text(plain(image.sop_instance_uid)),
            Text(plain(str(image.exclusion))),
        )
    return table
