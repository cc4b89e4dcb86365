"""Whether an image is like those that a classifier was trained on, from the network's own features.

The feature maps of two depths, one fine and one coarse, are pooled to the mean and the spread of
each channel while the network scores: it is not run again. Pooled features of training films span a
few directions; an image is described by its coordinates in them, by how far along them it lies
(Mahalanobis: Lee et al., *A simple unified framework for detecting out-of-distribution samples and
adversarial attacks*, NeurIPS 2018) and by what is left over beside them. No one depth sees
every kind of stranger (Anthony and Kamnitsas, *On the use of Mahalanobis distance for
out-of-distribution detection with neural networks for medical imaging*, UNSURE 2023). A logistic
regression weighs all of it against pictures that are no radiographs (outlier exposure: Hendrycks et
al., *Deep anomaly detection with outlier exposure*, ICLR 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from models.bundle import FAMILIARITY, Bundle
from screening.domain.prediction import Familiarity
from screening.errors import BundleError

_Floats = NDArray[np.float32]
_FINE_STRIDE = 8
# The two lengths are two numbers among a hundred coordinates, which a penalty would drown.
_LENGTH_WEIGHT = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Depth:
    """The training films' features at one depth of the network.

    Attributes
    ----------
    centre, scale
        Float32 (D,): mean of the pooled features, and their spread.
    directions
        Float32 (D, K): the principal directions, divided by their standard deviations.
    left_over
        Float32 (1,): root of the mean square of what lies beside the directions.
    """

    centre: _Floats
    scale: _Floats
    directions: _Floats
    left_over: _Floats

    def coordinates(self, pooled: _Floats) -> _Floats:
        """Describe pooled features (N, D) by K coordinates and two lengths: (N, K + 2)."""
        away = (pooled - self.centre) / self.scale
        along = away @ self.directions
        deviations = 1 / np.sqrt((self.directions**2).sum(0))
        beside = (away**2).sum(1) - ((along * deviations) ** 2).sum(1)
        lengths = np.stack(
            [np.sqrt((along**2).mean(1)), np.sqrt(np.maximum(beside, 0)) / self.left_over], axis=1
        )
        return np.concatenate([along, _LENGTH_WEIGHT * lengths], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Acquaintance:
    """What strangeness is measured with.

    Attributes
    ----------
    depths
        In the order of the taps.
    weights
        Float32 (sum of K + 2,): of the logistic regression, on all depths' coordinates.
    bias
        Float32 (1,).
    """

    depths: tuple[Depth, ...]
    weights: _Floats
    bias: _Floats

    def strangeness(self, pooled: Sequence[_Floats]) -> _Floats:
        """Return log odds (N,) from each depth's pooled features (N, D)."""
        known = np.concatenate([d.coordinates(p) for d, p in self._pairs(pooled)], axis=1)
        found: _Floats = known @ self.weights + self.bias
        return found

    def _pairs(self, pooled: Sequence[_Floats]) -> Iterator[tuple[Depth, _Floats]]:
        yield from zip(self.depths, pooled, strict=True)

    def save(self) -> bytes:
        """Return it as the content of a safetensors file."""
        tensors = {"weights": self.weights, "bias": self.bias}
        for number, depth in enumerate(self.depths):
            for item in fields(depth):
                tensors[f"{number}.{item.name}"] = getattr(depth, item.name)
        return safetensors.numpy.save(
            {name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}
        )

    @classmethod
    def load(cls, content: bytes, depths: int) -> Acquaintance:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ValueError
            If something is missing, surplus, misshapen or not finite.
        """
        try:
            tensors = safetensors.numpy.load(content)
        except (SafetensorError, KeyError) as error:  # a KeyError where numpy lacks the type
            raise ValueError(f"it is no safetensors file of float32: {error}") from None
        names = [item.name for item in fields(Depth)]
        expected = {"weights", "bias"} | {f"{n}.{name}" for n in range(depths) for name in names}
        if set(tensors) != expected:
            raise ValueError(f"it holds other tensors than {', '.join(sorted(expected))}")
        if not all(np.isfinite(value).all() for value in tensors.values()):
            raise ValueError("it holds a number that is not finite")
        found = cls(
            tuple(Depth(*(tensors[f"{n}.{name}"] for name in names)) for n in range(depths)),
            tensors["weights"],
            tensors["bias"],
        )
        with np.errstate(all="ignore"):
            tried = found.strangeness(
                [np.zeros((1, len(depth.centre)), np.float32) for depth in found.depths]
            )
        if tried.shape != (1,) or not np.isfinite(tried).all():
            raise ValueError("it does not give one finite number for an image")
        return found


def choose_taps(network: nn.Module, side: int) -> tuple[str, ...]:
    """Return the names of the two blocks whose feature maps tell most.

    The last one at an eighth of the image, or at the size next to it, and the last of all.

    Parameters
    ----------
    network
        One of ours: its ``blocks()`` are its parts, front to back.
    side
        Of its square, in pixels.
    """
    names = {id(module): name for name, module in network.named_modules()}
    blocks = network.blocks()  # type: ignore[operator]
    taps = [names[id(block)] for block in blocks]
    with Taps(network, taps) as heard, torch.inference_mode():
        device = next(network.parameters()).device
        network(torch.zeros(1, 1, side, side, device=device))
    strides = {name: side / heard.sides[name] for name in taps if heard.sides.get(name, 0) > 1}
    last = list(strides)[-1]
    nearest = min(strides.values(), key=lambda stride: abs(np.log2(stride / _FINE_STRIDE)))
    fine = [name for name, stride in strides.items() if stride == nearest][-1]
    return (fine, last) if fine != last else (last,)


class Taps:
    """Listens to modules while a network runs, and pools what they give.

    Of several passes over one batch, as in several orientations, the first counts.

    Parameters
    ----------
    network
        It is left as it was at the end of the ``with`` block.
    names
        Of its modules.
    """

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        self._modules = [(name, network.get_submodule(name)) for name in names]
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._pooled: dict[str, _Floats] = {}
        self.sides: dict[str, int] = {}

    def __enter__(self) -> Taps:
        for name, module in self._modules:
            self._handles.append(module.register_forward_hook(self._listener(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _listener(self, name: str) -> Callable[[nn.Module, object, object], None]:
        def listen(_module: nn.Module, _inputs: object, output: object) -> None:
            if name in self._pooled or not isinstance(output, Tensor) or output.ndim != 4:
                return
            self.sides[name] = output.shape[-1]
            self._pooled[name] = pool(output)

        return listen

    def pooled(self) -> list[_Floats]:
        """Return each module's pooled features (N, 2 C), in order."""
        return [self._pooled[name] for name, _ in self._modules]


def pool(maps: Tensor) -> _Floats:
    """Return each channel's mean and spread over the map: (N, C, h, w) to float32 (N, 2 C)."""
    # torch.std_mean takes ten times as long for maps with their channels last.
    cells = maps.permute(0, 2, 3, 1).flatten(1, 2).float()
    mean = cells.mean(1)
    spread = (cells - mean[:, None]).square_().mean(1).sqrt_()
    return torch.cat([mean, spread], dim=1).cpu().numpy()


class FamiliarityMeter:
    """Tells how strange each image of a batch is, listening while the network scores it.

    Parameters
    ----------
    acquaintance
        Fitted on training films.
    taps
        Names of the network's modules.
    limit
        The strangeness above which an image is unlike them.
    """

    def __init__(self, acquaintance: Acquaintance, taps: Sequence[str], limit: float) -> None:
        self._acquaintance = acquaintance
        self._taps = tuple(taps)
        self._limit = limit

    @classmethod
    def from_bundle(cls, bundle: Bundle, network: nn.Module) -> FamiliarityMeter | None:
        """Read a bundle's meter; ``None`` where it has none, so that it abstains never.

        Raises
        ------
        BundleError
            If its file is missing or altered, or is not of this network.
        """
        told, content = bundle.settings.familiarity, bundle.read_familiarity()
        if told is None or content is None:
            return None
        try:
            for name in told.taps:
                network.get_submodule(name)
            acquaintance = Acquaintance.load(content, len(told.taps))
        except (AttributeError, ValueError, IndexError, TypeError) as error:
            raise BundleError(
                f"{bundle.path / FAMILIARITY} does not fit the bundle ({error}): "
                "restore the bundle from where it came"
            ) from error
        return cls(acquaintance, told.taps, told.limit)

    @contextmanager
    def listening(self, network: nn.Module) -> Iterator[Taps]:
        """Listen to a network within the block."""
        with Taps(network, self._taps) as taps:
            yield taps

    def measure(self, taps: Taps) -> list[Familiarity]:
        """Return each image's familiarity, in the order of the batch."""
        found = self._acquaintance.strangeness(taps.pooled())
        return [Familiarity(float(value), self._limit) for value in found]


def describe(pooled: _Floats, kept: int) -> Depth:
    """Fit the principal directions of pooled features.

    Parameters
    ----------
    pooled
        Float32 (N, D), of training films.
    kept
        How many directions, at most.
    """
    wide = pooled.astype(np.float64)
    centre, spread = wide.mean(0), wide.std(0)
    # A channel that never stirs in training must not blow up what little it says later.
    scale = spread + 1e-3 * wide.std() + 1e-6
    _, sizes, directions = np.linalg.svd((wide - centre) / scale, full_matrices=False)
    deviations = sizes / np.sqrt(len(wide))
    kept = min(kept, int((deviations > 1e-6 * deviations[0]).sum()), len(wide) // 4 or 1)
    left_over = np.sqrt((deviations[kept:] ** 2).sum()) + 1e-6
    return Depth(
        centre.astype(np.float32),
        scale.astype(np.float32),
        (directions[:kept].T / deviations[:kept]).astype(np.float32),
        np.array([left_over], np.float32),
    )
