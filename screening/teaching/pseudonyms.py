"""The names that are given in place of real ones: by a key that never leaves the site.

Who has the key can find out which pseudonym a known patient has; without it the pseudonyms of an
export tell nothing. The same key gives the same ones, so that a later export goes with an earlier.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from screening.errors import ExportError

_BYTES = 32
_LONGEST_SHIFT_DAYS = 3650
_SPLITS = ((70, "train"), (85, "val"), (100, "test"))


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Names by a keyed hash, HMAC-SHA-256 (RFC 2104).

    Attributes
    ----------
    key
        Of 32 bytes.
    """

    key: bytes = field(repr=False)

    def uid(self, original: str) -> str:
        """Return the UID in place of another: 2.25 and 122 bits as a UUID's (PS3.5 B.2)."""
        bits = self._hash("uid", original)[:16]
        return f"2.25.{uuid.UUID(bytes=bits, version=4).int}"

    def patient(self, *identity: str | None) -> str:
        """Return the PatientID in place of whatever tells a patient from others."""
        return f"P{self._hash('patient', *identity)[:8].hex().upper()}"

    def file_name(self, sop_instance_uid: str) -> str:
        """Return the name of an image's file, without its suffix."""
        return self._hash("file", sop_instance_uid)[:8].hex()

    def days(self, patient: str) -> int:
        """Return by how many days, 1 to 3650, the dates of a pseudonym's patient are moved back."""
        return 1 + int.from_bytes(self._hash("days", patient)[:8], "big") % _LONGEST_SHIFT_DAYS

    def split(self, patient: str) -> str:
        """Return train, val or test, 70, 15 and 15 %: for ever the same one for a patient."""
        place = int.from_bytes(self._hash("split", patient)[:8], "big") % 100
        return next(name for end, name in _SPLITS if place < end)

    @property
    def fingerprint(self) -> str:
        """By which two exports show whether they have the same key; it tells nothing of the key."""
        return self._hash("fingerprint")[:4].hex()

    def _hash(self, *parts: str | None) -> bytes:
        return hmac.digest(self.key, json.dumps(parts).encode(), hashlib.sha256)


def new_pseudonyms() -> Pseudonyms:
    """Return some that nobody can repeat."""
    return Pseudonyms(secrets.token_bytes(_BYTES))


def open_pseudonyms(path: Path) -> Pseudonyms:
    """Return those of a site's key, which is made where it is missing, for its owner alone.

    Raises
    ------
    ExportError
        If the file is damaged, cannot be read or written, or others may read it.
    """
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise ExportError(
                f"others than its owner may read {path}, with which patients can be found again: "
                f"chmod 600 {path}"
            )
        key = path.read_bytes()
    except OSError as error:
        raise ExportError(f"the key {path} cannot be had: {error.strerror}") from None
    if len(key) != _BYTES:
        raise ExportError(
            f"the key {path} is damaged: restore it from a backup, or move it away for a new one, "
            "which gives every patient another pseudonym"
        )
    return Pseudonyms(key)


def copy_key(source: Path, target: Path) -> bool:
    """Copy a key to where none is, for its owner alone; say whether it is there then.

    Another one is never overwritten: nothing else could give its pseudonyms again.

    Raises
    ------
    ExportError
        If it cannot be read or written.
    """
    try:
        key = source.read_bytes()
        if not target.exists():
            _write(target, key)
        return target.read_bytes() == key
    except OSError as error:
        raise ExportError(
            f"the key {source} cannot be copied to {target}: {error.strerror}"
        ) from None


def _make(path: Path) -> None:
    _write(path, secrets.token_bytes(_BYTES))


def _write(path: Path, key: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key)
        os.fsync(descriptor)
        # Where another process has made one meanwhile, it is that.
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        os.close(descriptor)
        part.unlink()
