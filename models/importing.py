"""From a checkpoint that was trained elsewhere to a bundle, calibrated where there is data to.

The checkpoint says what it is of: each tensor must have its place in the network and each place its
tensor, so that one of another architecture is refused and nothing is guessed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from models.calibration import Calibration
from models.checkpoint import read_checkpoint
from models.dataset import LabelledRadiograph, read_split
from models.elsewhere import VIEWS
from models.imported_bundle import TOP_SHARE, Imported, write_imported
from models.input_settings import InputSettings
from models.networks.colour import HALF, IMAGENET_MEAN, IMAGENET_STD
from models.networks.registry import build_network, dotted_name, network_class
from models.selection import choose_on_views
from models.validation import read_views
from screening.domain.verdict import OperatingPoints
from screening.errors import BundleError

PIXELS = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "symmetric": (HALF, HALF),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and spread, of pixels in [0, 1], by name: torchvision's, [-1, 1], and [0, 1] itself."""

_HEADS = ("classifier.", "image_head.")
_WITH_MAP = "models.networks.mobilenet_v2.MobileNetV2"
_WITHOUT_MAP = "models.networks.mobilenet_v2_published.MobileNetV2Published"


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """What a checkpoint does not say of itself.

    Attributes
    ----------
    network
        Its architecture, on the list of :mod:`models.networks.registry`.
    pixels
        How its training gave it pixels, a name of :data:`PIXELS`.
    fracture_output
        Which output is the fracture: 1, or 0, as where class folders are taken by the alphabet
        (*fractured*, *not fractured*). Of a single output, 0 says that it is high for normals.
    size
        Side of its images in pixels; the network's published one where ``None``.
    """

    network: str
    pixels: str = "imagenet"
    fracture_output: int = 1
    size: int | None = None

    def __post_init__(self) -> None:
        if self.pixels not in PIXELS:
            raise ValueError(f"pixels must be one of {', '.join(PIXELS)}, not {self.pixels!r}")
        if self.fracture_output not in (0, 1):
            raise ValueError(f"the fracture's output is 0 or 1, not {self.fracture_output}")


def _ignore(done: int, total: int) -> None:
    """Say nothing of an image."""


def import_checkpoint(
    settings: ImportSettings,
    checkpoint: Path,
    out: Path,
    *,
    name: str = "",
    data: Path | None = None,
    root: Path | None = None,
    on_image: Callable[[int, int], None] = _ignore,
) -> Path:
    """Make a bundle of a checkpoint.

    Parameters
    ----------
    settings
        What the checkpoint is.
    checkpoint
        A ``.pth`` of tensors alone or a ``.safetensors``, with torchvision's names or ours.
    out
        Folder of the bundle, which must not exist. It appears whole or not at all.
    name
        Of the bundle; the folder's where it is empty.
    data
        A labelled set, on whose validation split the bundle is calibrated and its operating points
        are chosen. Without one they are 0.5 and 0.5, and the card says so.
    root
        Folder that the set's paths start from.
    on_image
        Called with the number of validation images read so far, and of all: each is read in
        every view that the operating points must stand.

    Raises
    ------
    BundleError
        If the checkpoint is damaged, another network's, without a fracture head, or ranks the
        validation split the wrong way round; or if the folder exists.
    TrainingError
        If the validation split cannot be read.
    """
    if out.exists():
        raise BundleError(f"{out} is already there: give a new folder with --out")
    try:
        target, arguments, network = _filled(settings, checkpoint)
        given = InputSettings(_size(settings, target), lower=0.0, upper=100.0)
    except ValueError as error:
        raise BundleError(f"{error}; correct the command") from error
    calibration, points = Calibration(1.0, 0.0, 0.0), OperatingPoints(0.5, 0.5)
    if data is not None:
        rows = read_split(data, "val", root=root)
        calibration, points = _calibrated(network, given, rows, on_image)
    origin = (
        f"Imported by `nightread bundle import` from a file `{checkpoint.name}` as "
        f"{target.rpartition('.')[2]}, its pixels as *{settings.pixels}*, the fracture as output "
        f"{settings.fracture_output}."
    )
    imported = Imported(
        name or out.name, target, arguments, given, calibration, points, origin, data is not None
    )
    return write_imported(imported, network.state_dict(), out)


def _size(settings: ImportSettings, target: str) -> int:
    return settings.size or int(network_class(target).published_size)


def _filled(settings: ImportSettings, path: Path) -> tuple[str, dict[str, Any], nn.Module]:
    """Return the network's name, its arguments, and itself with the checkpoint's weights."""
    target, state = dotted_name(settings.network), read_checkpoint(path)
    if target == _WITH_MAP and not any(name.startswith("cell_head.") for name in state):
        # torchvision's has no map: it is the network of the published studies.
        target = _WITHOUT_MAP
    kind = network_class(target)
    renamed: dict[str, Tensor] = kind.from_torchvision(state)
    mean, std = PIXELS[settings.pixels]
    arguments = kind.arguments_of(renamed) | {"mean": list(mean), "std": list(std)}
    if "size" in inspect.signature(kind).parameters:
        arguments["size"] = _size(settings, target)
    network = build_network(target, arguments).eval()
    _require_fit(path, settings.network, network.state_dict(), renamed, state)
    network.load_state_dict(renamed)
    if settings.fracture_output == 0:
        _turn_round(network)
    return target, arguments, network


def _require_fit(
    path: Path,
    name: str,
    wanted: dict[str, Tensor],
    renamed: dict[str, Tensor],
    original: dict[str, Tensor],
) -> None:
    """Refuse a checkpoint that does not fill the network, tensor for tensor."""
    missing = [key for key in wanted if key not in renamed and not key.endswith("batches_tracked")]
    surplus = [key for key in renamed if key not in wanted]
    other = [key for key in wanted if key in renamed and _unlike(renamed[key], wanted[key])]
    headless = all(key.startswith(_HEADS) for key in missing) and not surplus and not other
    if missing and headless:
        had = "one of other classes" if len(renamed) < len(original) else "none at all"
        raise BundleError(
            f"{path} has no fracture head but {had}: a head of one or two outputs is needed; "
            "as a backbone, give it to nightread train with --start"
        )
    if missing or surplus or other:
        raise BundleError(
            f"{path} is no checkpoint of {name}: {_differences(missing, surplus, other)}; "
            "name the network, and the --size, that it was made with"
        )


def _unlike(tensor: Tensor, wanted: Tensor) -> bool:
    kinds = tensor.is_floating_point() != wanted.is_floating_point()
    return kinds or tensor.shape != wanted.shape


def _differences(missing: Sequence[str], surplus: Sequence[str], other: Sequence[str]) -> str:
    said = ((missing, "missing"), (surplus, "unknown"), (other, "of another shape or kind"))
    return ", ".join(
        f"{len(names)} tensors are {what} (the first: {names[0]})" for names, what in said if names
    )


def _turn_round(network: nn.Module) -> None:
    """Let the first output be the fracture: swap two outputs, or change the sign of one."""
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        for tensor in (last.weight, last.bias):
            tensor.copy_(tensor.flip(0) if last.out_features == 2 else -tensor)


def _calibrated(
    network: nn.Module,
    given: InputSettings,
    rows: Sequence[LabelledRadiograph],
    on_image: Callable[[int, int], None],
) -> tuple[Calibration, OperatingPoints]:
    done, total = 0, len(VIEWS) * len(rows)

    def tell(count: int) -> None:
        nonlocal done
        done += count
        on_image(done, total)

    labels = [row.fractured for row in rows]
    plain = read_views(network, rows, given, TOP_SHARE, VIEWS[:1], tell)
    auc = float(roc_auc_score(labels, [item.image for item in plain[0]]))
    if auc < 0.5:
        raise BundleError(
            f"on the validation split normals score higher than fractures (AUC {auc:.3f}): if the "
            "checkpoint's first output is the fracture, give --fracture-output 0"
        )
    others = read_views(network, rows, given, TOP_SHARE, VIEWS[1:], tell)
    return choose_on_views([*plain, *others], labels)
