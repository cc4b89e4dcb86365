"""Columns that share a terminal's width: short ones keep theirs, the widest give way first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list.

    Attributes
    ----------
    header
        May have two lines.
    least, most
        Its width in characters: never narrower, and never wider.
    right
        Whether it holds numbers, which are aligned on the right.
    folds
        Whether a cell that is too long goes on below, instead of ending in an ellipsis.
    """

    header: str
    least: int
    most: int
    right: bool = False
    folds: bool = False


def fitted_table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> Table:
    """Return a table without lines that fits into ``width`` characters if the columns let it."""
    table = Table(box=None, header_style="dim", padding=(0, _GAP, 0, 0), pad_edge=False)
    natural = [_natural_width(column, [row[i] for row in rows]) for i, column in enumerate(columns)]
    room = width - _GAP * (len(columns) - 1)
    for column, fitted in zip(columns, _fit(columns, natural, room), strict=True):
        table.add_column(
            column.header,
            justify="right" if column.right else "left",
            overflow="fold" if column.folds else "ellipsis",
            no_wrap=not column.folds,
            width=fitted,
        )
    for row in rows:
        table.add_row(*row)
    return table


def _natural_width(column: Column, cells: Sequence[Text]) -> int:
    lines = [line for cell in (Text(column.header), *cells) for line in cell.split("\n")]
    widest = max(line.cell_len for line in lines)
    return max(column.least, min(widest, column.most))


def _fit(columns: Sequence[Column], natural: Sequence[int], room: int) -> list[int]:
    widths = list(natural)
    while sum(widths) > room:
        yielding = [i for i, column in enumerate(columns) if widths[i] > column.least]
        if not yielding:
            break
        widths[max(yielding, key=lambda i: widths[i])] -= 1
    return widths
