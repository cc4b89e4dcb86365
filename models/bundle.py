"""A model bundle on disk: what it says of itself, and whether it may be loaded.

A bundle is a folder in the layout of MONAI (https://docs.monai.io/en/stable/mb_specification.html):
``configs/metadata.json``, ``configs/inference.json`` with the network's ``_target_``,
``models/model.safetensors``, and ``docs/README.md``, the model card. What Nightread needs beyond
MONAI's own keys stands under ``nightread`` in the metadata. Importing this module loads no torch,
so the console can list bundles at once; :func:`models.classifier.load_classifier` does load it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models.calibration import Calibration
from models.input_settings import InputSettings
from models.networks.registry import require_listed
from screening.domain.prediction import ModelIdentity
from screening.domain.verdict import OperatingPoints
from screening.errors import BundleError

SHIPPED = Path(__file__).parent / "bundles"
METADATA = Path("configs") / "metadata.json"
NETWORK = Path("configs") / "inference.json"
WEIGHTS = Path("models") / "model.safetensors"
FAMILIARITY = Path("models") / "familiarity.safetensors"
CARD = Path("docs") / "README.md"


@dataclass(frozen=True, slots=True)
class FamiliaritySettings:
    """What ``models/familiarity.safetensors`` is, and how far an image may lie from it.

    Attributes
    ----------
    sha256
        Of that file, 64 hexadecimal digits.
    taps
        Names of the network's modules whose feature maps it measures.
    limit
        The strangeness above which an image is unlike the training images.
    kept
        The share of the validation split within the limit, in [0, 1].
    """

    sha256: str
    taps: tuple[str, ...]
    limit: float
    kept: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise ValueError("the limit of a familiarity must be a positive number")
        if not self.taps:
            raise ValueError("a familiarity needs the names of its taps")


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """The ``nightread`` part of the metadata: how the network's output becomes a verdict.

    Attributes
    ----------
    weights_sha256
        Of the weights file, 64 hexadecimal digits.
    input
        How an image is prepared.
    top_share
        Share of the map's cells whose mean is the map's score, in (0, 1].
    calibration
        From the two scores to a probability.
    operating_points
        Chosen on validation data.
    familiarity
        How an image is told that is unlike the training images. ``None`` where the bundle cannot.
    settings_sha256
        Of all the above as :func:`settings_digest` takes it. ``None`` in a bundle of before it was
        kept: nobody can tell whether its thresholds are the ones that it was published with.
    """

    weights_sha256: str
    input: InputSettings
    top_share: float
    calibration: Calibration
    operating_points: OperatingPoints
    familiarity: FamiliaritySettings | None = None
    settings_sha256: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.top_share <= 1:
            raise ValueError("top_share must lie in (0, 1]")


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


def settings_digest(own: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a verdict depends on, of the ``nightread`` part of metadata.

    What is said to people, the figures, limits and history, may be added later and is left out.
    """
    names = {item.name for item in dataclasses.fields(BundleSettings)} - {"settings_sha256"}
    decisive = {name: own[name] for name in sorted(names & set(own))}
    text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
