"""One core and one thread: what is measured there does not depend on how many others there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from worker.memory import keep_freed_memory


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and what it starts, on one core and one thread."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
