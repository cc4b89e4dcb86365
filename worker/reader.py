"""The process that reads images: ``python -m worker.reader FILENO PARENT BYTES``.

It has one line to the scoring process that started it, and ends with it. What one image may take
of memory is limited by the kernel; of time, by the scoring process, which ends this one.
"""

from __future__ import annotations

import resource
import signal
import sys
import warnings
from multiprocessing.connection import Connection

import torch

from screening.tether import tie_to
from worker.memory import keep_freed_memory
from worker.message import send_reading, send_ready, take_request, take_start
from worker.reading import Desk


def main(descriptor: int, parent: int, most_bytes: int) -> None:
    """Answer requests until the line ends.

    Parameters
    ----------
    descriptor
        Of the line, inherited.
    parent
        Number of the process at its other end.
    most_bytes
        How much memory an image may take beyond what this process has when it is ready.
    """
    tie_to(parent, signal.SIGKILL)
    # A Ctrl-C or a stop is for the scoring process, which lets what it has begun come to its end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # pydicom's quote values of a header
    torch.set_num_threads(1)
    keep_freed_memory()
    line = Connection(descriptor)
    desk = Desk(*take_start(line))
    _limit_memory(most_bytes)
    send_ready(line)
    while True:
        try:
            request = take_request(line)
        except EOFError:
            return
        send_reading(line, desk.read(request))


def _limit_memory(most_bytes: int) -> None:
    """Let the kernel refuse memory: RLIMIT_DATA counts what is private and writable."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - a file of the kernel's
        used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (used + most_bytes, used + most_bytes))
    # A crash is an answer; it must not fill the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))
