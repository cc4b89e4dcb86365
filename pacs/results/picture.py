"""Pictures for those who see no more than pictures: a radiograph with its heat, and a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pacs.results.film import LONGER_SIDE, Film
from pacs.results.identity import NOTICE

Rgb = NDArray[np.uint8]

_MOST_OPACITY = 0.55
_COOL, _HOT = np.array([255, 209, 64], float), np.array([255, 64, 31], float)
_PAPER, _INK, _FAINT = (13, 17, 22), (230, 234, 238), (150, 160, 170)
_MARGIN = 24


def draw_radiograph(film: Film, heat: NDArray[np.uint8] | None, legend: Sequence[str]) -> Rgb:
    """Draw a radiograph with its heat over it and a legend below.

    Parameters
    ----------
    film
        The radiograph.
    heat
        Shape (rows, columns), uint8; ``None`` for none.
    legend
        Lines of text, after the notice that it is not for diagnosis.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
        RGB, the radiograph in its size and the legend below it.
    """
    drawn = np.repeat(film.astype(float)[..., None], 3, axis=2)
    if heat is not None:
        spread = Image.fromarray(heat).resize(film.shape[::-1], Image.Resampling.BICUBIC)
        share = (np.asarray(spread, float) / 255)[..., None]
        opacity = _MOST_OPACITY * np.clip((share - 0.15) / 0.6, 0, 1)
        drawn = drawn * (1 - opacity) + (_COOL + (_HOT - _COOL) * share) * opacity
    return _with_legend(drawn.astype(np.uint8), legend)


def draw_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Rgb:
    """Draw a table on a page of 1024 by 768 pixels; rows that it has no room for are counted.

    Parameters
    ----------
    title
        Above it, after the notice that it is not for diagnosis.
    head, rows
        Texts of ASCII; as many in each row as in the head.
    """
    page = Image.new("RGB", (LONGER_SIDE, 768), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN), NOTICE, _COLOUR_OF_NOTICE, _font(28))
    draw.text((_MARGIN, 66), title, _INK, _font(24))
    top, step = 116, 30
    room = (768 - _MARGIN - top) // step - 2
    shown = list(rows[:room])
    if len(rows) > room:
        shown[-1:] = [[f"and {len(rows) - room + 1} more", *[""] * (len(head) - 1)]]
    width = (LONGER_SIDE - 2 * _MARGIN) / len(head)
    for line, texts in enumerate([head, *shown]):
        for column, text in enumerate(texts):
            at = _MARGIN + column * width, top + line * step
            draw.text(at, text, _FAINT if line == 0 else _INK, _font(19))
    return np.asarray(page)


_COLOUR_OF_NOTICE = (255, 190, 80)


def _with_legend(film: Rgb, legend: Sequence[str]) -> Rgb:
    lines = [NOTICE, *legend]
    width = max(film.shape[1], 640)
    page = Image.new("RGB", (width, film.shape[0] + 28 * len(lines) + _MARGIN), _PAPER)
    page.paste(Image.fromarray(film), ((width - film.shape[1]) // 2, 0))
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        at = _MARGIN, film.shape[0] + 12 + 28 * number
        draw.text(at, line, _COLOUR_OF_NOTICE if number == 0 else _INK, _font(20))
    return np.asarray(page)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
