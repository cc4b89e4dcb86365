"""Which bundles this worker is to load: those of the record, or else those of its settings."""

from __future__ import annotations

import structlog

from models.bundle import Bundle, read_bundle
from models.reach import find_bundle_of
from screening.domain.appointment import Appointed
from screening.errors import BundleError
from screening.records.appointments import find_appointed
from screening.records.engine import Records
from screening.settings import Settings

log = structlog.get_logger(__name__)


def read_appointed(records: Records) -> Appointed:
    """Return who is appointed.

    Raises
    ------
    RecordsError
        If the database does not answer.
    """
    with records.read() as session:
        return find_appointed(session)


def champion_bundle(appointed: Appointed, settings: Settings) -> Bundle:
    """Return the champion's bundle; a worker without it scores nothing, rather than with another.

    Raises
    ------
    BundleError
        If it is not within reach.
    """
    if appointed.champion is None:
        return read_bundle(settings.model)
    return find_bundle_of(appointed.champion, settings)


def shadow_reference(appointed: Appointed, settings: Settings) -> str:
    """Return where the shadow's bundle lies; empty for none. Nothing depends on a shadow."""
    if appointed.champion is None:
        return settings.shadow_model
    if appointed.shadow is None:
        return ""
    try:
        return str(find_bundle_of(appointed.shadow, settings).path)
    except BundleError as error:
        log.warning("shadow_not_loaded", error=str(error))
        return ""


def require_champion(records: Records, settings: Settings) -> None:
    """Do nothing if this worker can score as it shall.

    Raises
    ------
    RecordsError
        If the database does not answer.
    BundleError
        If the champion's bundle is not within reach.
    """
    champion_bundle(read_appointed(records), settings)


def look_at_models(records: Records, settings: Settings) -> None:
    """Look at the bundles before the pool starts, and say how they came to be chosen.

    Raises
    ------
    BundleError
        If the bundle of the settings cannot be loaded, and nobody appointed another. One that is
        appointed may come later: the worker starts, and its images wait.
    """
    appointed = read_appointed(records)
    try:
        bundle = champion_bundle(appointed, settings)
        bundle.read_weights()
        bundle.read_familiarity()
    except BundleError as error:
        if appointed.champion is None:
            raise
        log.error("champion_missing", error=str(error))
        return
    _look_at_shadow(shadow_reference(appointed, settings))
    if appointed.champion is not None:
        _compare(appointed, settings)


def _look_at_shadow(reference: str) -> None:
    """Say at once if there is no such shadow; the worker starts all the same."""
    if not reference:
        return
    try:
        read_bundle(reference, setting="NIGHTREAD_SHADOW_MODEL").read_weights()
    except BundleError as error:
        log.error("shadow_not_loaded", model=reference, error=str(error))


def _compare(appointed: Appointed, settings: Settings) -> None:
    """Say where the settings name other models than the record, which counts."""
    named = {
        "NIGHTREAD_MODEL": (settings.model, appointed.champion),
        "NIGHTREAD_SHADOW_MODEL": (settings.shadow_model, appointed.shadow),
    }
    for setting, (reference, model) in named.items():
        if not reference:
            continue
        try:
            own = read_bundle(reference, setting).identity
        except BundleError as error:
            log.warning("setting_overruled", setting=setting, error=str(error))
            continue
        if own != model:
            log.warning(
                "setting_overruled",
                setting=setting,
                named=f"{own.name} {own.version}",
                appointed=f"{model.name} {model.version}" if model else "none",
            )
