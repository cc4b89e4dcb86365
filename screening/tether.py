"""A process that ends with the one that started it, however that one ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# prctl(2)
_PR_SET_PDEATHSIG = 1


def tie_to(parent: int, farewell: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel signal this process when ``parent`` ends, even by SIGKILL.

    Parameters
    ----------
    parent
        Number of the process that started this one; 0 where nobody watches it.
    farewell
        The signal. To the kernel the parent is the thread that started this process.
    """
    if not parent:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, farewell)
    if os.getppid() != parent:
        sys.exit(1)  # it ended before we could ask
