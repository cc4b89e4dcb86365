"""The doctor looks at the classifier's files and at the decoders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nightread.finding import Finding, fail, ok, warn
from screening.errors import BundleError, NightreadError
from screening.settings import Settings

if TYPE_CHECKING:
    from models.bundle import Bundle
    from screening.domain.appointment import Appointed
    from screening.domain.prediction import ModelIdentity


def check_model(settings: Settings, appointed: Appointed | None = None) -> Finding:
    """Look whether the champion's bundle is here, is whole, and its weights are its own.

    Parameters
    ----------
    appointed
        Who is to score by the record; nobody where it cannot be read.
    """
    from models.bundle import read_bundle
    from models.reach import find_bundle_of

    champion = appointed.champion if appointed else None
    try:
        bundle = find_bundle_of(champion, settings) if champion else read_bundle(settings.model)
        bundle.read_weights()
        bundle.read_familiarity()
    except BundleError as error:
        waits = "; a worker here scores nothing until then" if champion else ""
        return fail("model", f"{error}{waits}")
    if champion is None:
        return ok("model", _words(bundle))
    return ok("model", f"{_words(bundle)}; appointed{_overruled(settings.model, champion)}")


def _overruled(reference: str, model: ModelIdentity) -> str:
    """Say that a setting names another model than the record, which counts."""
    from models.bundle import read_bundle

    try:
        is_other = read_bundle(reference).identity != model
    except BundleError:
        is_other = True
    return f", which counts; NIGHTREAD_MODEL names another, {reference}" if is_other else ""


def check_shadow(settings: Settings, appointed: Appointed | None = None) -> Iterator[Finding]:
    """Look at the shadow model, if there shall be one. Nothing depends on it: it never fails."""
    from models.bundle import read_bundle
    from models.reach import find_bundle_of

    is_appointed = appointed is not None and appointed.champion is not None
    shadow = appointed.shadow if appointed else None
    if not shadow and (is_appointed or not settings.shadow_model):
        return
    try:
        bundle = (
            find_bundle_of(shadow, settings)
            if shadow
            else read_bundle(settings.shadow_model, setting="NIGHTREAD_SHADOW_MODEL")
        )
        bundle.read_weights()
        bundle.read_familiarity()
    except BundleError as error:
        yield warn("shadow model", f"{error}; the worker scores without it")
        return
    yield ok("shadow model", f"{_words(bundle)}; its scores are behind no verdict")


def appointed_here(settings: Settings) -> Appointed | None:
    """Return who is to score by the record; ``None`` where there is none that can be read."""
    from nightread.database import opened
    from screening.records.appointments import find_appointed

    try:
        with opened(settings) as records, records.read() as session:
            return find_appointed(session)
    except NightreadError:
        return None  # the doctor has said so of the database


def _words(bundle: Bundle) -> str:
    words = [f"{bundle.name} {bundle.version}, SHA-256 {bundle.identity.digest[:12]}..."]
    words.append("as it should be")
    if bundle.settings.settings_sha256 is None:
        words.append("(of before thresholds had a digest)")
    if bundle.settings.familiarity is None:
        words.append("(cannot tell what is unlike its training images)")
    return " ".join(words)


def check_decoders() -> Finding:
    """Look whether every compressed transfer syntax that we read has its decoder."""
    from pydicom.uid import UID

    from screening.dicom.frame import installed_decoders

    installed = installed_decoders()
    missing = [UID(uid).name for uid, is_there in installed.items() if not is_there]
    if missing:
        return fail(
            "decoders",
            f"none for {', '.join(missing)}: such images could not be scored; "
            "pip install 'nightread[worker]'",
        )
    return ok("decoders", f"for all {len(installed)} compressed transfer syntaxes")
