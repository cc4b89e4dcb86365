"""The settings, as a support bundle tells them: which are set, and the value of harmless ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from screening.settings import Settings

# Titles, addresses to listen on, and words of a closed list. Of all other texts nothing is told.
_SHOWN = {
    "ae_title",
    "allowed_networks",
    "calling_ae_titles",
    "dicom_host",
    "log_level",
    "overnight_ae_titles",
    "storing_ae_titles",
    "watch_host",
    "worklist_host",
}
_ADDRESSES = {"database_url", "redis_url"}


def told_settings(settings: Settings) -> dict[str, object]:
    """Return each setting by its name, with what may be told of it."""
    return {
        f"NIGHTREAD_{name.upper()}": {
            "value": _told(name, getattr(settings, name)),
            "default": getattr(settings, name) == field.default,
        }
        for name, field in type(settings).model_fields.items()
    }


def _told(name: str, value: object) -> object:
    if isinstance(value, Enum):
        return str(value.value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if name in _SHOWN:
        return str(value) if isinstance(value, str) else [str(each) for each in _all(value)]
    if name in _ADDRESSES and isinstance(value, str) and value:
        address = urlsplit(value)
        # Without who signs in, and without the path: it may be a file's.
        return f"{address.scheme}://{address.hostname or ''}:{address.port or ''}"
    if isinstance(value, Mapping | tuple):
        return f"{len(value)} entries"
    return "set" if str(value) else "empty"


def _all(value: object) -> Collection[object]:
    return value if isinstance(value, tuple) else ()
