"""A share of this machine's cores for one host of several, by control groups (cgroups(7))."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds
_TRIES, _BETWEEN_TRIES_SECONDS = 50, 0.1


def cpu_group(name: str, cores: float) -> list[str] | None:
    """Make a group that has so many cores, and return what to say before a command to be in it.

    ``None`` where this machine lets us make none.
    """
    quota = int(cores * _PERIOD)
    limits = {
        _ROOT / "cpu" / name: {"cpu.cfs_period_us": _PERIOD, "cpu.cfs_quota_us": quota},
        _ROOT / name: {"cpu.max": f"{quota} {_PERIOD}"},
    }
    for group, values in limits.items():
        try:
            group.mkdir(exist_ok=True)
            for file, value in values.items():
                (group / file).write_text(str(value))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        return ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    return None


def remove_cpu_group(name: str) -> None:
    """Remove a group whose processes were killed; the last of them may take a moment to go."""
    for group in (_ROOT / "cpu" / name, _ROOT / name):
        for _ in range(_TRIES):
            if not group.exists():
                break
            with contextlib.suppress(OSError):
                group.rmdir()
            time.sleep(_BETWEEN_TRIES_SECONDS)
