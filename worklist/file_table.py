"""What became of files that somebody sent, file by file, as a table in a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from screening.domain.verdict import Verdict
from screening.records.dossier import Image
from worklist.columns import Column, fitted_table
from worklist.plain_text import plain
from worklist.signs import score_sign, verdict_sign

_COLUMNS = (
    Column("File", 20, 60, folds=True),
    Column("Verdict", 10, 10),
    Column("Score", 5, 5, right=True),
    Column("Why", 12, 60, folds=True),
)


def file_table(images: Mapping[str, Image], width: int, *, limit: int = 50) -> Table:
    """Return a table of images by the name of their file, the highest score first.

    Parameters
    ----------
    images
        By the name under which their sender knows them.
    width
        Of the terminal, in characters.
    limit
        At most so many; a last line counts the others.
    """
    ordered = sorted(images.items(), key=lambda item: (-(_score(item[1]) or 0.0), item[0]))
    rows = [_row(name, image) for name, image in ordered[:limit]]
    if len(ordered) > limit:
        rows.append([Text(f"and {len(ordered) - limit} more"), Text(), Text(), Text()])
    return fitted_table(_COLUMNS, rows, width)


def _row(name: str, image: Image) -> list[Text]:
    why = str(image.exclusion) if image.exclusion else ""
    verdict = image.score.verdict if image.score else Verdict(image.state.value)
    score = score_sign(_score(image))
    return [Text(plain(name)), verdict_sign(verdict), Text(score), Text(plain(why))]


def _score(image: Image) -> float | None:
    return image.score.probability if image.score else None
