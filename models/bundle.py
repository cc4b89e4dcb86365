"""A model bundle on disk: what it says of itself, and whether it may be loaded.

A bundle is a folder in the layout of MONAI (https://docs.monai.io/en/stable/mb_specification.html):
``configs/metadata.json``, ``configs/inference.json`` with the network's ``_target_``,
``models/model.safetensors``, and ``docs/README.md``, the model card. What Nightread needs beyond
MONAI's own keys stands under ``nightread`` in the metadata. Importing this module loads no torch,
so the console can list bundles at once; :func:`models.classifier.load_classifier` does load it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models.bundle_settings import BundleSettings, settings_digest
from models.networks.registry import require_listed
from screening.domain.prediction import ModelIdentity
from screening.errors import BundleError

SHIPPED = Path(__file__).parent / "bundles"
METADATA = Path("configs") / "metadata.json"
NETWORK = Path("configs") / "inference.json"
WEIGHTS = Path("models") / "model.safetensors"
FAMILIARITY = Path("models") / "familiarity.safetensors"
CARD = Path("docs") / "README.md"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose JSON has been read and found complete; its weights are not read yet.

    Attributes
    ----------
    path
        Its folder.
    name, version
        From its metadata.
    target, arguments
        The network's dotted name and its constructor's arguments.
    settings
        From a network's output to a verdict.
    metadata
        All of ``configs/metadata.json``.
    """

    path: Path
    name: str
    version: str
    target: str
    arguments: dict[str, Any]
    settings: BundleSettings
    metadata: dict[str, Any]

    @property
    def identity(self) -> ModelIdentity:
        """What a score is filed under."""
        return ModelIdentity(self.name, self.version, self.settings.weights_sha256)

    def read_weights(self) -> bytes:
        """Return the bytes of the weights file, once they are known to be the right ones.

        Raises
        ------
        BundleError
            If the file is missing, or its SHA-256 is not the one in the metadata.
        """
        return self._read_known(WEIGHTS, self.settings.weights_sha256)

    def read_familiarity(self) -> bytes | None:
        """Return the bytes of the familiarity file, checked like the weights.

        ``None`` where the metadata speaks of none.

        Raises
        ------
        BundleError
            If the file is missing, or its SHA-256 is not the one in the metadata.
        """
        told = self.settings.familiarity
        return None if told is None else self._read_known(FAMILIARITY, told.sha256)

    def _read_known(self, name: Path, expected: str) -> bytes:
        content = _read(self.path / name)
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise BundleError(
                f"{self.path / name} is not the file that the bundle's metadata names "
                f"(SHA-256 {found}, expected {expected}): restore the bundle from where it came"
            )
        return content


@dataclass(frozen=True, slots=True)
class BundleSummary:
    """A line about a bundle, for a list.

    Attributes
    ----------
    name, version, description
        From its metadata.
    path
        Its folder.
    digest
        SHA-256 of its weights, as its metadata states it.
    """

    name: str
    version: str
    description: str
    path: Path
    digest: str


def find_bundle(reference: str | Path, setting: str = "NIGHTREAD_MODEL") -> Path:
    """Return the folder of a bundle, by the name of a shipped one or by its path.

    Parameters
    ----------
    reference
        A name or a folder.
    setting
        Where it was named, for the message of an error.

    Raises
    ------
    BundleError
        If there is none.
    """
    shipped = {path.parent.parent.name: path.parent.parent for path in _shipped()}
    path = shipped.get(str(reference), Path(reference))
    if not (path / METADATA).is_file():
        raise BundleError(
            f"no model bundle {reference}: set {setting} to the folder of a bundle "
            f"(one that holds {METADATA}) or to one of {', '.join(sorted(shipped)) or 'none'}"
        )
    return path


def _shipped() -> list[Path]:
    return sorted(SHIPPED.glob(f"*/{METADATA.as_posix()}"))


def list_bundles() -> list[BundleSummary]:
    """Return the bundles that ship with Nightread, without loading torch.

    Raises
    ------
    BundleError
        If the metadata of one cannot be read.
    """
    found = []
    for path in _shipped():
        bundle = read_bundle(path.parent.parent)
        description = str(bundle.metadata.get("description", ""))
        digest = bundle.settings.weights_sha256
        found.append(BundleSummary(bundle.name, bundle.version, description, bundle.path, digest))
    return found


def read_bundle(reference: str | Path, setting: str = "NIGHTREAD_MODEL") -> Bundle:
    """Read and check all of a bundle but its weights.

    Parameters
    ----------
    reference
        A name or a folder, as :func:`find_bundle` takes it.
    setting
        Where it was named, for the message of an error.

    Raises
    ------
    BundleError
        If a file is missing, is not JSON, or lacks something, or its network is not allowed.
    """
    path = find_bundle(reference, setting)
    metadata, inference = _json(path / METADATA), _json(path / NETWORK)
    network = inference.get("network_def")
    if not isinstance(network, dict) or not isinstance(network.get("_target_"), str):
        raise BundleError(
            f"{path / NETWORK} names no network: it needs network_def with a _target_"
        )
    try:
        require_listed(network["_target_"])
    except ValueError as error:
        raise BundleError(f"bundle {path}: {error}") from None
    for key in ("name", "version"):
        if not isinstance(metadata.get(key), str) or not metadata[key]:
            raise BundleError(f"{path / METADATA} has no {key}: write one, as text")
    arguments = {key: value for key, value in network.items() if key != "_target_"}
    return Bundle(
        path,
        metadata["name"],
        metadata["version"],
        network["_target_"],
        arguments,
        _settings(path, metadata),
        metadata,
    )


def _settings(path: Path, metadata: dict[str, Any]) -> BundleSettings:
    own = metadata.get("nightread")
    try:
        settings = TypeAdapter(BundleSettings).validate_python(own)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["nightread", *map(str, first["loc"])])
        raise BundleError(
            f"{path / METADATA}: {where}: {first['msg']}; "
            "a bundle made by `nightread train` holds everything that is needed"
        ) from error
    assert isinstance(own, dict)
    if settings.settings_sha256 not in (None, settings_digest(own)):
        raise BundleError(
            f"{path / METADATA}: a threshold or another setting under nightread is not as it was "
            f"published (SHA-256 {settings_digest(own)}, expected {settings.settings_sha256}): "
            "restore the bundle from where it came"
        )
    return settings


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not JSON ({error}): restore the bundle") from error
    if not isinstance(value, dict):
        raise BundleError(f"{path} holds no JSON object: restore the bundle")
    return value


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror}): restore the bundle from where it came"
        ) from error
