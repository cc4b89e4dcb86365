"""Sources as the console knows them: a file that changes, the doctor, and lists of studies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import free_port, wait_until
from console import nightread
from installation import Installation
from pydicom.dataset import Dataset
from query_peer import query_peer

from nightread.batch import _read_accessions
from nightread.check_sources import check_sources
from nightread.finding import Level
from screening.errors import BatchError
from screening.settings import Settings


def source(name: str, port: int) -> str:
    return f"[[source]]\nname='{name}'\nae_title='ARCHIVE'\nhost='127.0.0.1'\nport={port}\n"


def schedule(name: str) -> str:
    return f"[[schedule]]\nname='nightly'\nsource='{name}'\nbegins='0 22 * * *'\n"


def nothing(_: Dataset) -> Iterator[tuple[int, Dataset | None]]:
    yield 0x0000, None


@pytest.mark.parametrize(
    "content",
    [
        "A1\nA2\n",
        "accession number,patient\nA1,x\nA2,y\n",
        "AccessionNumber;Patient\nA1;x\n\nA2;y\n",
        "\ufeffA1\r\n A2 \r\n",
    ],
)
def test_accession_numbers_are_the_first_column_of_any_list(tmp_path: Path, content: str) -> None:
    file = tmp_path / "list.csv"
    file.write_text(content, "utf-8", newline="")
    assert _read_accessions(file) == ["A1", "A2"]


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "names no"), (b"Accession\n", "names no"), (b"\xff\n", "UTF-8")]
)
def test_a_list_that_names_nothing_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    with pytest.raises(BatchError, match=why):
        _read_accessions(file)
    with pytest.raises(BatchError, match="cannot be read"):
        _read_accessions(tmp_path / "none.csv")


def test_the_doctor_asks_each_source_and_says_what_begins_next(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "sources.toml"
    chosen = settings.model_copy(update={"sources_file": file})
    assert list(check_sources(settings)) == [], "without a file there is nothing to look at"
    with query_peer(nothing) as archive:
        file.write_text(
            source("here", archive.port) + source("gone", free_port()) + schedule("here")
        )
        found = {each.subject: each for each in check_sources(chosen)}
    assert found["source here"].level is Level.OK
    assert found["source gone"].level is Level.FAIL
    assert "begins next at" in found["schedule nightly"].detail
    assert "22:00 UTC" in found["schedule nightly"].detail
    file.write_text("[[source]]\n")
    (broken,) = check_sources(chosen)
    assert broken.level is Level.FAIL


def test_without_a_source_nothing_can_begin(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text(
        "[[report]]\nname='r'\nat='30 6 * * *'\nhost='127.0.0.1'\nstarttls=false\n"
        "sender='a@b.c'\nto=['d@e.f']\n"
    )
    ran = nightread(
        "batch", "start", "--from", "2026-01-01", cwd=tmp_path, sources_file="sources.toml"
    )
    assert (ran.returncode, "names no source" in ran.stderr) == (1, True)


def test_the_night_takes_up_a_file_that_has_changed(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(source("first", free_port()))
    installation = Installation(settings.model_copy(update={"sources_file": file}))

    def says(text: str) -> bool:
        return text in installation.log("night")

    try:
        installation.start("night")
        wait_until(lambda: says('"sources": ["first"]'), 60, "it is ready")
        file.write_text("[[source]]\nodd = 1\n")
        time.sleep(3)
        assert installation.ended() == [], "what cannot be meant is no reason to end"
        file.write_text(source("second", free_port()) + schedule("second"))
        wait_until(lambda: says('"sources": ["second"]'), 60, "it has taken it up")
        assert says('"schedules": ["nightly"]')
    finally:
        installation.stop()
