from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from screening import logs
from screening.settings import Settings

logs.configure(Settings())

def read_header_of(name):
    raise ValueError(f"cannot decode {name}")

try:
    read_header_of("Unmistakable^Name")
except ValueError:
    structlog.get_logger("test").exception("image_failed", sop_instance_uid="1.2.3")
    logging.getLogger("library").exception("it broke")
for name in ("pydicom", "pynetdicom.assoc", "PIL.Image", "hl7", "hl7.containers"):
    logging.getLogger(name).error("Unmistakable^Name")
"""


def test_an_error_is_logged_by_its_type_and_place_and_never_by_its_message() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    ours, library = (json.loads(line) for line in run.stderr.splitlines())
    assert ours["error_type"] == library["error_type"] == "ValueError"
    assert "read_header_of" in ours["error_at"][-1]
    assert ours["sop_instance_uid"] == "1.2.3"
    assert b"nmistakable" not in run.stderr
    assert run.stdout == b""
