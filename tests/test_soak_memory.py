"""A worker's memory is flat, however many images it screens."""

from __future__ import annotations

import time

import psutil
import pytest
from installation import Installation
from test_soak_backlog import fill

from screening.queue.embedded import EmbeddedRedis
from screening.settings import Settings

IMAGES = 20_000
_SETTLED = 1_000  # by then every buffer has its size
_MOST_GROWTH = 1.1


def memory(installation: Installation) -> dict[str, float]:
    """Return the megabytes that each of the worker's processes has to itself, by its name."""
    found: dict[str, float] = {}
    worker = psutil.Process(installation.processes["work"].pid)
    for process in (worker, *worker.children(recursive=True)):
        words = process.cmdline()
        role = "reader" if "worker.reader" in words else "worker"
        found[role] = max(found.get(role, 0.0), process.memory_full_info().uss / 1e6)
    return found


@pytest.mark.soak
def test_memory_is_flat_over_twenty_thousand_images(
    settings: Settings, embedded_redis: EmbeddedRedis
) -> None:
    installation = Installation(settings)
    fill(installation, IMAGES)
    installation.start("work")
    early: dict[str, float] = {}
    try:
        while waiting := installation.tally().waiting:
            if not early and waiting <= IMAGES - _SETTLED:
                early = memory(installation)
                print(f"after {IMAGES - waiting}: {early}", flush=True)
            time.sleep(1)
        late = memory(installation)
    finally:
        installation.stop()
    print(f"after {IMAGES}: {late}")
    for role, megabytes in late.items():
        assert megabytes < _MOST_GROWTH * early[role]
