from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from screening import logs
from screening.settings import Settings


@pytest.fixture
def _configured(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    logs.configure(settings)
    yield
    structlog.reset_defaults()
    root.handlers[:], level = before
    root.setLevel(level)


def read_header_of(name: str) -> None:
    raise ValueError(f"cannot decode {name}")


@pytest.mark.usefixtures("_configured")
def test_an_error_is_logged_by_its_type_and_place_and_not_by_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        read_header_of("Unmistakable^Name")
    except ValueError:
        structlog.get_logger("test").exception("image_failed", sop_instance_uid="1.2.3")
        logging.getLogger("library").exception("it broke")
    said = capsys.readouterr().err
    ours, library = (json.loads(line) for line in said.splitlines())
    assert ours["error_type"] == library["error_type"] == "ValueError"
    assert "read_header_of" in ours["error_at"][-1]
    assert ours["sop_instance_uid"] == "1.2.3"
    assert "nmistakable" not in said


@pytest.mark.usefixtures("_configured")
def test_libraries_that_quote_what_they_read_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("pydicom", "pynetdicom.assoc", "PIL.Image"):
        logging.getLogger(name).error("Unmistakable^Name")
    assert capsys.readouterr().err == ""
