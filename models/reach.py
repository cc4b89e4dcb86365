"""The bundles within reach of this machine, and the one among them that is appointed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import structlog

from models.bundle import METADATA, Bundle, list_bundles, read_bundle
from screening.domain.prediction import ModelIdentity
from screening.errors import BundleError
from screening.settings import Settings

log = structlog.get_logger(__name__)


def bundles_in_reach(settings: Settings) -> Iterator[Bundle]:
    """Yield the bundles of the settings, of their folder of models, and those that ship.

    One that cannot be read is left out, and the log says why.
    """
    for reference in _references(settings):
        try:
            yield read_bundle(reference, "NIGHTREAD_MODELS_DIR")
        except BundleError as error:
            log.warning("bundle_left_out", bundle=str(reference), error=str(error))


def _references(settings: Settings) -> Iterator[str | Path]:
    yield from filter(None, (settings.model, settings.shadow_model))
    if settings.models_dir is not None:
        yield from sorted(each.parent.parent for each in settings.models_dir.glob(f"*/{METADATA}"))
    yield from (each.path for each in list_bundles())


def find_bundle_of(model: ModelIdentity, settings: Settings) -> Bundle:
    """Return the bundle of a model: of this name, this version and these weights.

    Raises
    ------
    BundleError
        If none is within reach.
    """
    for bundle in bundles_in_reach(settings):
        if bundle.identity == model:
            return bundle
    raise BundleError(
        f"{model.name} {model.version} (SHA-256 {model.digest[:12]}...) is appointed, and this "
        "machine has no such bundle: put it into the folder of NIGHTREAD_MODELS_DIR, or name it in "
        "NIGHTREAD_MODEL; nightread model show says who appointed it"
    )
