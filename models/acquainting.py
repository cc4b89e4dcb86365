"""Fit what a bundle calls familiar, on its training films; and count what it keeps and refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression

from models.augmentation import AugmentationSettings, augment
from models.bundle_settings import FamiliaritySettings
from models.classifier import Classifier
from models.dataset import LabelledRadiograph, read_pixels, read_split, unit_range
from models.familiarity import Acquaintance, Depth, Taps, choose_taps, describe
from models.strangers import draw_strangers
from models.transforms import PreparedImage
from screening.errors import BundleError

_FILMS = 1500
_STRANGERS_EACH = 25
_PLAIN_EVERY = 3
_DIRECTIONS = (40, 48)  # at the fine and at the coarse depth
_CONFIDENCE = 2.2  # shared among all images, so that a small set is weighed as a large one is
_KEPT = 0.995
# Log odds, of about seven to one: at even odds, bones of other hospitals were refused too often, a
# real film of an extremity among them.
_LEAST_ODDS = 2.0
_BATCH = 16

# Wider than a training's: another hospital's films are cropped, exposed and compressed otherwise,
# and none of that shall make a bone strange. Plain films alone refuse two thirds of them.
_AS_ELSEWHERE = AugmentationSettings(
    crop=0.35, grow=0.12, gamma=0.5, jpeg=0.4, border=0.3, missing_rows=0.03, invert=0.08
)
_WEB_SIDES = (90, 360)  # pixels of the longest side, as pictures from the web have

_Floats = NDArray[np.float32]
_Pooled = list[_Floats]


def acquaint(
    classifier: Classifier,
    side: int,
    data: Path,
    films: int = _FILMS,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[bytes, FamiliaritySettings]:
    """Fit what is familiar to a classifier.

    The limit is the higher of seven to one and the strangeness below which 99.5 % of the validation
    split lie.

    Parameters
    ----------
    classifier
        Its network is listened to.
    side
        Of the network's square, in pixels.
    data
        The labelled set that it was trained on.
    films
        At most so many of the training split, drawn by chance.
    on_image
        Called as images are done, with how many and of how many.

    Returns
    -------
    bytes
        The content of ``models/familiarity.safetensors``.
    FamiliaritySettings
        What the metadata says of it.

    Raises
    ------
    TrainingError
        If the training or validation split cannot be read.
    """
    taps = choose_taps(classifier.network, side)
    rng = np.random.default_rng(0)
    train, val = read_split(data, "train"), read_split(data, "val")
    chosen = [train[i] for i in rng.permutation(len(train))[:films]]
    pooled = _Pooler(classifier, taps, on_image, _total(chosen, val))
    acquaintance = _fit(pooled, chosen, rng)
    limit, kept = _limit(acquaintance.strangeness(pooled(map(_plain, val))))
    content = acquaintance.save()
    return content, FamiliaritySettings(hashlib.sha256(content).hexdigest(), taps, limit, kept)


def _total(chosen: Sequence[object], val: Sequence[object]) -> int:
    return len(chosen) + len(chosen[::_PLAIN_EVERY]) + len(val) + 8 * _STRANGERS_EACH


def _fit(pooled: _Pooler, films: Sequence[LabelledRadiograph], rng: Generator) -> Acquaintance:
    elsewhere = pooled(_elsewhere(film, rng) for film in films)
    plain = pooled(map(_plain, films[::_PLAIN_EVERY]))
    strangers = pooled(draw_strangers(_STRANGERS_EACH))
    directions = _DIRECTIONS[-len(elsewhere) :]
    depths = tuple(describe(one, kept) for one, kept in zip(elsewhere, directions, strict=True))
    known = [_coordinates(depths, part) for part in (elsewhere, plain, strangers)]
    labels = np.repeat([0, 0, 1], [len(part) for part in known])
    fitted = LogisticRegression(
        C=_CONFIDENCE / len(labels), class_weight="balanced", max_iter=5000
    ).fit(np.concatenate(known), labels)
    return Acquaintance(
        depths, fitted.coef_[0].astype(np.float32), fitted.intercept_.astype(np.float32)
    )


def _coordinates(depths: Sequence[Depth], pooled: _Pooled) -> _Floats:
    parts = [depth.coordinates(one) for depth, one in zip(depths, pooled, strict=True)]
    return np.concatenate(parts, axis=1)


def _limit(validation: _Floats) -> tuple[float, float]:
    limit = max(_LEAST_ODDS, float(np.quantile(validation, _KEPT)))
    return limit, float((validation <= limit).mean())


def _plain(film: LabelledRadiograph) -> NDArray[np.uint8]:
    return read_pixels(film.path)


def _elsewhere(film: LabelledRadiograph, rng: Generator) -> NDArray[np.uint8]:
    """Return a film as another hospital, or a page on the web, might show it."""
    pixels = augment(_within(read_pixels(film.path), 1024), (), _AS_ELSEWHERE, rng).pixels
    if rng.random() < 0.5:
        return pixels
    low, high = np.log(_WEB_SIDES)
    return _within(pixels, int(np.exp(rng.uniform(low, high))))


def _within(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _batches(images: Iterable[PreparedImage]) -> Iterator[list[PreparedImage]]:
    """Cut into batches; every image is made only when its batch is."""
    rest = iter(images)
    while batch := list(islice(rest, _BATCH)):
        yield batch


class _Pooler:
    """Pools the features of pictures as the classifier would see them."""

    def __init__(
        self,
        classifier: Classifier,
        taps: Sequence[str],
        on_image: Callable[[int, int], None],
        total: int,
    ) -> None:
        self._classifier = classifier
        self._taps = taps
        self._on_image = on_image
        self._total = total
        self._done = 0

    def __call__(self, pictures: Iterable[NDArray[np.uint8]]) -> _Pooled:
        """Return, for each tap, the pooled features (N, D)."""
        prepared = (self._classifier.prepare(unit_range(picture)) for picture in pictures)
        parts = [self._batch(batch) for batch in _batches(prepared)]
        return [np.concatenate(tap) for tap in zip(*parts, strict=True)]

    def _batch(self, images: Sequence[PreparedImage]) -> _Pooled:
        with Taps(self._classifier.network, self._taps) as taps:
            self._classifier.score(images)
        self._done += len(images)
        self._on_image(self._done, self._total)
        return taps.pooled()


def kept_shares(
    classifier: Classifier, sources: Mapping[str, Iterable[NDArray[np.float32]]]
) -> dict[str, float]:
    """Return the share of each source's images that the classifier does not call unlike.

    Parameters
    ----------
    classifier
        Of a bundle that has a familiarity.
    sources
        By their names on the card, images as float32 (H, W) in [0, 1].

    Raises
    ------
    BundleError
        If the bundle has none.
    """
    return {name: _kept_share(classifier, images) for name, images in sources.items()}


def _kept_share(classifier: Classifier, images: Iterable[NDArray[np.float32]]) -> float:
    unlike: list[bool] = []
    for batch in _batches(classifier.prepare(image) for image in images):
        predictions = classifier.score(batch)
        if any(item.familiarity is None for item in predictions):
            raise BundleError(
                f"the bundle {classifier.identity.name} cannot tell what is unlike its training "
                "images: add it first, with models.recording.fit_familiarity"
            )
        unlike += [item.unlike for item in predictions]
    return 1.0 - float(np.mean(unlike)) if unlike else float("nan")
