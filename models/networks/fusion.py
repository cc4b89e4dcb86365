"""Fold batch norms into the convolutions before them: the same function, a third fewer passes."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(network: nn.Module) -> None:
    """Fold, in place, each batch norm that follows a convolution in an ``nn.Sequential``.

    A batch norm in evaluation mode is a factor and an offset per channel, which the convolution can
    take over; what remains differs by floating-point rounding alone.

    Parameters
    ----------
    network
        In evaluation mode. It cannot be trained afterwards, nor its weights be saved as they were.
    """
    chains = [module for module in network.modules() if isinstance(module, nn.Sequential)]
    for chain in chains:
        for index in range(1, len(chain)):
            convolution, norm = chain[index - 1], chain[index]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                chain[index - 1] = fuse_conv_bn_eval(convolution, norm)
                chain[index] = nn.Identity()
