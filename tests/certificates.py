"""Certificates for the tests of TLS, made by OpenSSL's program: they live for a day."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from conftest import require

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, both PEM."""

    path: Path
    key: Path


def _openssl(*arguments: str | Path) -> None:
    program = shutil.which("openssl")
    require(program, "no OpenSSL: install Debian's openssl")
    assert program is not None
    subprocess.run([program, *arguments], check=True, capture_output=True)


def authority(folder: Path, name: str) -> Certificate:
    """Make one that signs others."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        *("req", "-x509", *_NEW_KEY, "-keyout", made.key, "-out", made.path),
        *("-subj", f"/CN={name}", "-days", "1"),
    )
    return made


def signed_by(signer: Certificate, name: str, *, days: int = 1) -> Certificate:
    """Make one that an authority signed; of minus one day, it has expired."""
    folder = signer.path.parent
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request = folder / f"{name}.csr"
    _openssl("req", *_NEW_KEY, "-keyout", made.key, "-out", request, "-subj", "/CN=localhost")
    _openssl(
        *("x509", "-req", "-in", request, "-out", made.path, "-days", str(days)),
        *("-CA", signer.path, "-CAkey", signer.key, "-CAcreateserial"),
    )
    return made
