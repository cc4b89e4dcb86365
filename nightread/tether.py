"""A process that ends with the one that started it, however that one ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Annotated

import typer

# prctl(2)
_PR_SET_PDEATHSIG = 1

Parent = Annotated[
    int, typer.Option("--parent", hidden=True, help="Process whose end is the end of this one.")
]


def tie_to(parent: int) -> None:
    """Have the kernel send this process SIGTERM when ``parent`` ends, even by SIGKILL.

    Parameters
    ----------
    parent
        Number of the process that started this one; 0 where nobody watches it.
    """
    if not parent:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it ended before we could ask
