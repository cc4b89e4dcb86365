"""A file of weights from elsewhere: read without running anything that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from screening.errors import BundleError

# Under what training programs keep the weights beside their own state, and what wrappers put
# before each name: DataParallel, Lightning, torch.compile.
_WITHIN = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "model.", "_orig_mod.")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` or a PyTorch file, by name.

    What a training program wraps around them, and before their names, is taken off. Half precision
    becomes float32.

    Raises
    ------
    BundleError
        If the file is missing or cut short, holds code or objects, or is no set of finite tensors.
    """
    if not path.is_file():
        raise BundleError(f"no checkpoint {path}: give a .pth or a .safetensors file")
    state = _unwrapped(_read(path))
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise BundleError(
            f"{path} holds no tensors by name: save its state_dict() alone, "
            "torch.save(model.state_dict(), FILE)"
        )
    return _without_prefix({str(name): _as_float(path, state[name]) for name in state})


def _read(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise BundleError(f"{path} is cut short or no safetensors: fetch it again") from error
    except Exception as error:  # what a damaged pickle raises is anybody's guess
        raise BundleError(
            f"{path} cannot be read as weights alone ({type(error).__name__}): it is cut short, or "
            "holds code or objects, which Nightread never runs; fetch it again, or save its "
            "state_dict() alone, torch.save(model.state_dict(), FILE)"
        ) from error


def _unwrapped(value: object) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        return {}
    for key in _WITHIN:
        if isinstance(value.get(key), Mapping):
            return dict(value[key])
    return dict(value)


def _as_float(path: Path, tensor: Tensor) -> Tensor:
    if not _is_whole(tensor):
        raise BundleError(
            f"{path} holds a tensor without all of its numbers (sparse, quantised, or one number "
            "shown as many): save its state_dict() as plain tensors"
        )
    if not tensor.is_floating_point():
        return tensor
    if not torch.isfinite(tensor).all():
        raise BundleError(f"{path} holds numbers that are not finite: its training went astray")
    return tensor.float()


def _is_whole(tensor: Tensor) -> bool:
    """Tell whether a tensor is dense and stored in full: a small file may show one of any size."""
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return _without_prefix({name.removeprefix(prefix): state[name] for name in state})
    return state
