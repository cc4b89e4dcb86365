"""A network's blocks, compiled for the machine: slower to start, faster from then on.

Each block is a graph of its own, so that what listens between blocks (familiarity, a class
activation map) still does. Only a full part in the precision of a first pass runs compiled: one
graph per block is all that is ever built, and a single image is never worth a compiler's seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
import torch
from torch import Tensor, nn

log = structlog.get_logger(__name__)

_GRAPHS = 256
"""More than a network has blocks: torch stops at 8 graphs of one class's ``forward``."""


class CompiledBlock(nn.Module):
    """A block that runs compiled where the pass is the one that it was compiled for.

    Once it has run compiled, a failure costs no image: it goes on as it was before.

    Parameters
    ----------
    block
        In evaluation mode; as it is, it serves every other pass.
    images
        How many images a pass has that runs compiled.
    autocast
        Whether that pass is one under autocast.
    """

    def __init__(self, block: nn.Module, images: int, *, autocast: bool) -> None:
        super().__init__()
        self.block = block
        self._images = images
        self._autocast = autocast
        self._has_run = self._failed = False
        self._compiled: Callable[[Tensor], Tensor] = torch.compile(
            block.forward, dynamic=False, options={"freezing": True}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return what the block makes of (N, C, H, W)."""
        fits = len(x) == self._images and not torch.is_grad_enabled()
        if fits and not self._failed and torch.is_autocast_enabled(x.device.type) is self._autocast:
            try:
                compiled = self._compiled(x)
            except torch.OutOfMemoryError:
                raise  # the part is halved, and goes the other way then
            except Exception as error:
                if not self._has_run:
                    raise  # as it warms up: who compiles it says so, once
                self._failed = True
                log.error("compiled_block_failed", error=type(error).__name__)
            else:
                self._has_run = True
                return compiled
        out: Tensor = self.block(x)
        return out


def compile_blocks(
    network: nn.Module, warm_up: Callable[[], object], images: int, *, autocast: bool
) -> bool:
    """Compile a network's blocks, in place; where that fails, leave them as they were and say so.

    Parameters
    ----------
    network
        In evaluation mode, with its blocks in ``features``.
    warm_up
        Makes one pass of `images` images: torch compiles when it is first asked.
    images, autocast
        Of the passes that are to run compiled, as :class:`CompiledBlock` takes them.

    Returns
    -------
    bool
        Whether they are compiled.
    """
    features = network.features
    assert isinstance(features, nn.Sequential)
    before, began = list(features), time.monotonic()
    try:
        for index, block in enumerate(before):
            features[index] = CompiledBlock(block, images, autocast=autocast)
        with torch._dynamo.config.patch(recompile_limit=_GRAPHS):
            warm_up()
    except Exception as error:  # a compiler's failure may be of any kind; the night goes on
        for index, block in enumerate(before):
            features[index] = block
        log.error("not_compiled", error=type(error).__name__, advice=_ADVICE)
        return False
    log.info("compiled", blocks=len(before), seconds=round(time.monotonic() - began, 1))
    return True


_ADVICE = "install a C++ compiler and Python's headers, or unset NIGHTREAD_COMPILE"
