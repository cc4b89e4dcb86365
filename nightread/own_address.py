"""Where our listener listens, seen from this machine."""

from __future__ import annotations


def own_address(dicom_host: str) -> str:
    """Return where to call a listener that listens on ``dicom_host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(dicom_host, dicom_host)  # noqa: S104
