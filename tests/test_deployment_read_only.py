"""What the containers promise: the data folder and the temporary one are all that is written."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import require, wait_until
from console import ROOT, environment, nightread

from phantoms.load import write_load
from screening.queue.broker import is_there
from screening.records.engine import Records
from screening.records.tally import tally
from screening.settings import Settings

# The kernel's own protections, as the containers' file asks for them: a root that nobody writes to,
# /tmp in memory from which nothing is run, and no capability.
CONFINE = """
set -e
mount --make-rprivate /
mount --bind {data} {data}
mount -t tmpfs -o size=256m,mode=1777,noexec,nosuid,nodev tmpfs {temporary}
mount -o remount,bind,ro /
cd {data}
touch {home}/probe 2>/dev/null && exit 99
exec setpriv --bounding-set -all --inh-caps -all --no-new-privs {command}
"""


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """The folders of the container: what is kept, what is not, and a home that is closed."""
    folders = {name: tmp_path / name for name in ("data", "temporary", "home")}
    for folder in folders.values():
        folder.mkdir()
    mounts = subprocess.run(
        ["unshare", "--mount", "mount", "--make-rprivate", "/"], capture_output=True, check=False
    )
    may = shutil.which("setpriv") and not mounts.returncode
    require(may, "the kernel lets this user make no mounts of its own: run the tests as root")
    return folders


@pytest.fixture
def confined(places: dict[str, Path], settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """All processes, where nothing but two folders can be written."""
    command = [sys.executable, "-P", "-m", "nightread", "up"]
    script = CONFINE.format(**places, command=shlex.join(command))
    variables = environment(**chosen(places, settings)) | {
        "HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        variables.pop(name, None)
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", script], env=variables) as running:
        yield running
        running.terminate()


def chosen(places: dict[str, Path], settings: Settings) -> dict[str, object]:
    return {
        "data_dir": places["data"],
        "dicom_port": settings.dicom_port,
        "worklist_port": settings.worklist_port,
        "worker_processes": 1,
        "minimum_free_gigabytes": 0,
        "abstain_unlike": "false",
    }


def test_all_processes_work_on_a_read_only_root(
    confined: subprocess.Popen[bytes], places: dict[str, Path], settings: Settings, tmp_path: Path
) -> None:
    write_load(tmp_path / "films", 2, 1)

    def listens() -> bool:
        assert confined.poll() is None, f"it ended: {confined.returncode}"
        return is_there(f"redis://127.0.0.1:{settings.dicom_port}")

    wait_until(listens, 60, "the door opens")
    ran = nightread("send", tmp_path / "films", cwd=tmp_path, **chosen(places, settings))
    assert ran.returncode == 0, ran.stderr
    records = Records(f"sqlite:///{places['data'] / 'nightread.sqlite'}")

    def scored() -> bool:
        with records.read() as session:
            return tally(session).scored == 2

    wait_until(scored, 60, "the worker scores them")
    records.close()
    # As here, it is no folder that stays.
    assert (ROOT / "Dockerfile").read_text().count("HOME=/tmp ") == 1
