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
    for column, fitted in zip(columns, _fitted_widths(columns, rows, width), strict=True):
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


def fitted_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int
) -> tuple[Text, list[Text]]:
    """Return a header and a line for each row, where something else is to stand between them."""
    widths = _fitted_widths(columns, rows, width)
    header = _line(columns, [Text(column.header, style="dim") for column in columns], widths)
    return header, [_line(columns, row, widths) for row in rows]


def _line(columns: Sequence[Column], cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for column, cell, width in zip(columns, cells, widths, strict=True):
        fitted = cell.copy()
        fitted.truncate(width, overflow="ellipsis")
        fitted.align("right" if column.right else "left", width)
        line.append_text(fitted).append(" " * _GAP)
    line.rstrip()
    return line


def _fitted_widths(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int
) -> list[int]:
    natural = [_natural_width(column, [row[i] for row in rows]) for i, column in enumerate(columns)]
    return _fit(columns, natural, width - _GAP * (len(columns) - 1))


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
