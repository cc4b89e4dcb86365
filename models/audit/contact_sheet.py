"""Films side by side as a picture, for a person to judge."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from models.audit.section import plain
from models.image_file import read_pixels

_SIDE, _GAP, _LINE, _WIDTH = 150, 8, 16, 990
_BACKGROUND, _TILE, _INK, _DIM = (20, 24, 27), (32, 39, 43), (198, 206, 210), (139, 152, 158)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Case:
    """One or two films with lines of text below.

    Attributes
    ----------
    films
        Their files.
    captions
        Two lines for each film: its name, and where it stands.
    remark
        A line for the case.
    """

    films: tuple[Path, ...]
    captions: tuple[tuple[str, str], ...]
    remark: str


def contact_sheet(cases: Sequence[Case]) -> bytes:
    """Draw cases in rows, as a PNG.

    Parameters
    ----------
    cases
        At least one, all with the same number of films. A film that cannot be read is an empty
        tile.
    """
    films = len(cases[0].films)
    width = films * _SIDE + (films + 1) * _GAP
    height = _SIDE + 3 * _LINE + 3 * _GAP
    across = max(1, min(len(cases), _WIDTH // width))
    down = -(-len(cases) // across)
    sheet = Image.new("RGB", (across * width + _GAP, down * height + _GAP), _BACKGROUND)
    font = ImageFont.load_default(12)
    for number, case in enumerate(cases):
        row, column = divmod(number, across)
        _draw(sheet, case, font, column * width + _GAP, row * height + _GAP)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _draw(sheet: Image.Image, case: Case, font: _Font, x: int, y: int) -> None:
    pen = ImageDraw.Draw(sheet)
    text = y + _SIDE + 4
    pen.text((x, text + 2 * _LINE), plain(case.remark), font=font, fill=_DIM)
    for film, (name, where) in zip(case.films, case.captions, strict=True):
        _draw_film(sheet, pen, film, font, x, y)
        pen.text((x, text), _fitted(name, pen, font), font=font, fill=_INK)
        pen.text((x, text + _LINE), _fitted(where, pen, font), font=font, fill=_INK)
        x += _SIDE + _GAP


def _draw_film(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, film: Path, font: _Font, x: int, y: int
) -> None:
    pen.rectangle((x, y, x + _SIDE - 1, y + _SIDE - 1), fill=_TILE)
    picture = _picture(film)
    if picture is None:
        pen.text((x + 12, y + _SIDE // 2 - 8), "cannot be read", font=font, fill=_DIM)
    else:
        left, top = (_SIDE - picture.width) // 2, (_SIDE - picture.height) // 2
        sheet.paste(picture, (x + left, y + top))


def _picture(path: Path) -> Image.Image | None:
    try:
        pixels = read_pixels(path)
    except Exception:
        # The sheet shows faulty files too, and what their readers raise is not a closed list.
        return None
    picture = Image.fromarray(pixels)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return picture


def _fitted(text: str, pen: ImageDraw.ImageDraw, font: _Font) -> str:
    """Shorten a caption from its beginning: the end of a name is what tells files apart."""
    clean = plain(text)
    if pen.textlength(clean, font) <= _SIDE:
        return clean
    while clean and pen.textlength(f"...{clean}", font) > _SIDE:
        clean = clean[1:]
    return f"...{clean}"
