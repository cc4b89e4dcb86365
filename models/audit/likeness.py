"""Which films are copies of one another, turned or mirrored or not.

The similarity of two signatures is the highest correlation over all turns, with and without a
mirror. It can never exceed the product of their magnitudes (the triangle inequality, term by term),
so one matrix product discards nearly all pairs without losing any, and only the rest are turned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audit.signature import FREQUENCIES
from screening.errors import TrainingError

SIMILAR = 0.90
"""From which similarity two films count as copies. On multiregion the figures hardly change between
0.88 and 0.92; the first films of FracAtlas that are not copies come at 0.90."""

MOST_PAIRS = 5_000_000
"""That are kept, in 85 MB. More than this are not copies but a set of one picture."""

PAIR = np.dtype(
    [
        ("first", np.int32),
        ("second", np.int32),
        ("similarity", np.float32),
        ("degrees", np.float32),
        ("mirrored", np.bool_),
    ]
)
"""A row of what `find_likenesses` returns: the fields of a `Likeness`."""

_TURNS = 256
_ROWS, _COLUMNS, _CHUNK = 512, 4096, 4096
_UPRIGHT_DEGREES = 3.0

Spectra = NDArray[np.complex64]
Pairs = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Likeness:
    """A film and its copy.

    Attributes
    ----------
    first, second
        Numbers of the films, ``first < second``.
    similarity
        In [0, 1].
    degrees
        By which the second is turned clockwise against the first, in [0, 360), after the mirroring
        if there is one.
    mirrored
        Whether the second is mirrored, left to right.
    """

    first: int
    second: int
    similarity: float
    degrees: float
    mirrored: bool

    @property
    def upright(self) -> bool:
        """Whether the copy lies as the film lies: resized, compressed or exposed otherwise."""
        return not self.mirrored and _near(self.degrees, 0)

    @property
    def orientation(self) -> str:
        """Say it for a person: as it is, turned, mirrored."""
        turned = "" if _near(self.degrees, 0) else f"turned by {self._angle()}"
        words = [word for word in ("mirrored" if self.mirrored else "", turned) if word]
        return " and ".join(words) or "the same way up"

    def _angle(self) -> str:
        quarter = round(self.degrees / 90) * 90
        return f"{(quarter if _near(self.degrees, quarter) else round(self.degrees)) % 360}°"


def _near(degrees: float, target: float) -> bool:
    return abs((degrees - target + 180) % 360 - 180) <= _UPRIGHT_DEGREES


def likeness(pair: np.void) -> Likeness:
    """Return a row of the pairs as one object."""
    return Likeness(
        int(pair["first"]),
        int(pair["second"]),
        float(pair["similarity"]),
        float(pair["degrees"]),
        bool(pair["mirrored"]),
    )


def find_likenesses(
    spectra: Spectra,
    *,
    similar: float = SIMILAR,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Pairs:
    """Find all pairs of films that are copies.

    Parameters
    ----------
    spectra
        Signatures, shape (films, 15, 24), complex64.
    similar
        Similarity from which two are copies, in (0, 1].
    on_step
        Called with the films compared so far and their number.

    Returns
    -------
    ndarray of `PAIR`
        In the order of ``first``, then ``second``.

    Raises
    ------
    TrainingError
        If more than `MOST_PAIRS` pairs are alike.
    """
    magnitudes = np.abs(spectra).reshape(len(spectra), -1)
    found, total = [np.empty(0, PAIR)], 0
    for start in range(0, len(spectra), _ROWS):
        for first, second in _candidates(magnitudes, start, similar):
            found.append(_compare(spectra, first, second, similar))
            total += len(found[-1])
            if total > MOST_PAIRS:
                raise TrainingError(
                    f"more than {MOST_PAIRS:,} pairs of images are alike, so the set shows little "
                    "else than one picture: audit a part of it, or raise --similarity"
                )
        on_step(min(start + _ROWS, len(spectra)), len(spectra))
    pairs: Pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs["second"], pairs["first"]))]


def _candidates(
    magnitudes: NDArray[np.float32], start: int, similar: float
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the pairs of a block of rows that may be similar, in chunks."""
    rows = magnitudes[start : start + _ROWS]
    for left in range(start, len(magnitudes), _COLUMNS):
        bound = rows @ magnitudes[left : left + _COLUMNS].T
        # Rounding of float32 products must not lose a pair that is just similar.
        first, second = np.nonzero(bound >= similar - 1e-4)
        first, second = first + start, second + left
        once = first < second
        first, second = first[once], second[once]
        for at in range(0, len(first), _CHUNK):
            yield first[at : at + _CHUNK], second[at : at + _CHUNK]


def _compare(
    spectra: Spectra, first: NDArray[np.intp], second: NDArray[np.intp], similar: float
) -> Pairs:
    """Turn and mirror each pair, and keep those that are similar."""
    a, b = spectra[first], spectra[second]
    turned = _correlations((a * b.conj()).sum(axis=1))
    mirrored = _correlations((a * b).sum(axis=1))
    is_mirrored = mirrored.max(axis=1) > turned.max(axis=1)
    best = np.where(is_mirrored[:, None], mirrored, turned)
    peak = best.argmax(axis=1) * (360 / _TURNS)
    pairs = np.empty(len(first), PAIR)
    pairs["first"], pairs["second"], pairs["mirrored"] = first, second, is_mirrored
    pairs["similarity"] = np.minimum(best.max(axis=1), 1.0)
    # Rings run clockwise, and a mirror from left to right adds a half turn.
    pairs["degrees"] = np.where(is_mirrored, peak - 180, -peak) % 360
    kept: Pairs = pairs[best.max(axis=1) >= similar]
    return kept


def _correlations(products: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Return the correlation at each of 256 turns, shape (pairs, 256)."""
    padded = np.zeros((len(products), _TURNS // 2 + 1), np.complex64)
    padded[:, 1 : FREQUENCIES + 1] = products
    return np.asarray(np.fft.irfft(padded, _TURNS, axis=1) * (_TURNS / 2))
