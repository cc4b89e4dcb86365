"""The doctor looks at the classifier's files and at the decoders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nightread.finding import Finding, fail, ok, warn
from screening.errors import BundleError
from screening.settings import Settings

if TYPE_CHECKING:
    from models.bundle import Bundle


def check_model(settings: Settings) -> Finding:
    """Look whether the model bundle is whole and its weights are those of its metadata."""
    from models.bundle import read_bundle

    try:
        bundle = read_bundle(settings.model)
        bundle.read_weights()
        bundle.read_familiarity()
    except BundleError as error:
        return fail("model", str(error))
    return ok("model", _words(bundle))


def check_shadow(settings: Settings) -> Iterator[Finding]:
    """Look at the shadow model, if there shall be one. Nothing depends on it: it never fails."""
    from models.bundle import read_bundle

    if not settings.shadow_model:
        return
    try:
        bundle = read_bundle(settings.shadow_model, setting="NIGHTREAD_SHADOW_MODEL")
        bundle.read_weights()
        bundle.read_familiarity()
    except BundleError as error:
        yield warn("shadow model", f"{error}; the worker scores without it")
        return
    yield ok("shadow model", f"{_words(bundle)}; its scores are behind no verdict")


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
