"""What a network says of the validation split, in every view that its thresholds must stand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from torch import nn

from models.dataset import LabelledRadiograph, read_pixels, unit_range
from models.elsewhere import VIEWS, View
from models.input_settings import InputSettings
from models.networks.fusion import fold_batch_norms
from models.reading import Reading, read_batch
from models.transforms import Preparation, PreparedImage

_BATCH = 16


def read_views(
    network: nn.Module,
    rows: Sequence[LabelledRadiograph],
    given: InputSettings,
    top_share: float,
    views: Sequence[View] = VIEWS,
    on_image: Callable[[int], None] = lambda count: None,
) -> list[list[Reading]]:
    """Read a split as the worker would, once in each view.

    Parameters
    ----------
    network
        In evaluation mode; it stays as it is.
    rows
        Of the validation split: thresholds are chosen on nothing else.
    given
        How an image is prepared.
    top_share
        Share of the map's cells whose mean is the map's score, in (0, 1].
    views
        How the films are made anew.
    on_image
        Called with how many images were read since it was last called.

    Returns
    -------
    list of list of Reading
        For each view, one of each row.

    Raises
    ------
    TrainingError
        If a film cannot be read.
    """
    folded = copy.deepcopy(network)
    fold_batch_norms(folded)
    prepare = Preparation.of(given)

    def prepared(row: LabelledRadiograph, view: View) -> PreparedImage:
        return prepare(unit_range(view.apply(read_pixels(row.path))))

    def read(view: View) -> list[Reading]:
        readings: list[Reading] = []
        for at in range(0, len(rows), _BATCH):
            batch = [prepared(row, view) for row in rows[at : at + _BATCH]]
            readings += read_batch(folded, batch, top_share, given.orientations)
            on_image(len(batch))
        return readings

    return [read(view) for view in views]
