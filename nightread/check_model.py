"""The doctor looks at the classifier's files and at the decoders."""

from __future__ import annotations

from nightread.finding import Finding, fail, ok
from screening.errors import BundleError
from screening.settings import Settings


def check_model(settings: Settings) -> Finding:
    """Look whether the model bundle is whole and its weights are those of its metadata."""
    from models.bundle import read_bundle

    try:
        bundle = read_bundle(settings.model)
        bundle.read_weights()
    except BundleError as error:
        return fail("model", str(error))
    digest = bundle.identity.digest[:12]
    return ok("model", f"{bundle.name} {bundle.version}, SHA-256 {digest}... as it should be")


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
