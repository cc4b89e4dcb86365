"""Processes that belong together, as a worker's pool, count together."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def count_together() -> None:
    """Have this process and those that it forks count into one folder, which goes with this one.

    To be called before anything imports a figure: the library looks at its environment then.
    """
    folder = tempfile.mkdtemp(prefix="nightread-figures-")
    os.environ[FOLDER] = folder
    owner = os.getpid()

    def clear() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(clear)
