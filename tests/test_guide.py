"""The guide's configuration of Orthanc, run as it stands there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from conftest import require, wait_until
from installation import Installation
from orthanc_server import running_orthanc

from phantoms.load import write_load
from screening.queue.embedded import EmbeddedRedis
from screening.settings import Settings

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"


def block(language: str) -> str:
    """Return the guide's only block of a language."""
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.S)
    assert len(found) == 1
    return str(found[0])


def test_orthanc_sends_each_study_by_itself(
    settings: Settings, embedded_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    program = shutil.which("Orthanc")
    require(program, "no Orthanc: install Debian's orthanc")
    assert program is not None
    (title, host, port) = json.loads(block("json"))["DicomModalities"]["nightread"]
    assert (title, port) == (Settings().ae_title, Settings().dicom_port)
    known = {"nightread": [title, host, settings.dicom_port]}
    script = tmp_path / "forward.lua"
    script.write_text(block("lua"))
    more = {"LuaScripts": [str(script)], "StableAge": 1}
    installation = Installation(settings)
    installation.start("listen")
    wait_until(installation.listens, 60, "the door answers")
    with running_orthanc(program, tmp_path / "orthanc", known, **more) as orthanc:  # type: ignore[arg-type]
        for path in write_load(tmp_path / "load", 2, 2):
            orthanc.call("/instances", path.read_bytes())
        wait_until(lambda: installation.tally().received == 4, 60, "both studies are here")
    assert len(installation.cases()) == 2
    installation.stop()
