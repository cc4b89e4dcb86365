"""What every network of Nightread says of a batch of images."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FractureLogits(NamedTuple):
    """What a network says of a batch of N images.

    Attributes
    ----------
    image
        Float tensor (N,): the logit of a fracture anywhere in the image. Of a network with two
        softmax outputs it is the difference of the two.
    cells
        Float tensor (N, h, w): the logit of a fracture in each cell of a grid over the network's
        square. ``None`` from a network that has no such head.
    """

    image: Tensor
    cells: Tensor | None
