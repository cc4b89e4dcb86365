"""What is added to a bundle after it was made: figures, and what its training images are like."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.acquainting import acquaint
from models.bundle import CARD, FAMILIARITY, METADATA, read_bundle
from models.bundle_settings import seal
from models.card import render_card
from models.classifier import Classifier
from models.evaluation import Figures
from models.json_bytes import json_bytes
from models.whole_file import write_whole
from screening.errors import BundleError


def record_figures(bundle: Path, figures: Mapping[str, Figures]) -> None:
    """Write measured figures into a bundle's metadata and draw its card anew.

    Parameters
    ----------
    bundle
        Its folder.
    figures
        By the name of the set, as the card shall call it.

    Raises
    ------
    BundleError
        If the folder is no bundle, or none that `nightread train` made.
    """
    metadata = read_bundle(bundle).metadata
    recorded = metadata["nightread"].setdefault("figures", {})
    if not isinstance(recorded, dict):
        raise BundleError(f"{bundle / METADATA}: nightread.figures is no JSON object: make it {{}}")
    recorded.update({name: item.as_dict() for name, item in figures.items()})
    _rewrite(bundle, metadata)


def fit_familiarity(
    bundle: Path,
    data: Path,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Let a bundle know what its training images are like, so that it can abstain from others.

    Its weights, calibration and operating points stay. An earlier fit is replaced; the metadata is
    sealed and the card is drawn anew.

    Parameters
    ----------
    bundle
        Its folder.
    data
        The labelled set that it was trained on.
    on_image
        Called as images are done, with how many and of how many.

    Raises
    ------
    BundleError
        If the folder is no bundle, or the metadata lacks what the card needs.
    TrainingError
        If the training or validation split cannot be read.
    """
    read = read_bundle(bundle)
    own = read.metadata["nightread"]
    # What was fitted before, and perhaps to other weights, must not be asked for on the way.
    own.pop("familiarity", None)
    former = replace(read, settings=replace(read.settings, familiarity=None))
    content, settings = acquaint(
        Classifier.from_bundle(former), read.settings.input.size, data, on_image=on_image
    )
    own["familiarity"] = dataclasses.asdict(settings)
    seal(read.metadata)
    write_whole(bundle / FAMILIARITY, content)
    _rewrite(bundle, read.metadata)


def record_kept(bundle: Path, shares: Mapping[str, float]) -> None:
    """Write into a bundle which share of each source it does not call unlike, and draw its card.

    Parameters
    ----------
    bundle
        Its folder.
    shares
        By source, as :func:`models.acquainting.kept_shares` counts them.

    Raises
    ------
    BundleError
        If the folder is no bundle, or the metadata lacks what the card needs.
    """
    metadata = read_bundle(bundle).metadata
    rounded = {name: round(share, 4) for name, share in shares.items()}
    metadata["nightread"].setdefault("familiarity_kept", {}).update(rounded)
    _rewrite(bundle, metadata)


def _rewrite(bundle: Path, metadata: Mapping[str, Any]) -> None:
    """Draw the card first: metadata that it cannot be drawn from leave the bundle as it was."""
    card = render_card(metadata).encode()
    write_whole(bundle / METADATA, json_bytes(metadata))
    write_whole(bundle / CARD, card)
