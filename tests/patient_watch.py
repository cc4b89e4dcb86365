"""Looks through the logs of the whole suite for the patients that its tests used.

Who they are: what a test gives a data set (name, ID, birth date, accession number), and what stands
in the records that it leaves. Where is looked: what our processes wrote to stderr or into log
files, and what was logged in the tests' own process. A test that leaves a patient in a log fails,
and the last test of each pytest process fails for what was left until then unseen.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

IDENTITY = {"PatientName", "PatientID", "PatientBirthDate", "AccessionNumber"}
# A shorter word, as P1 or A1, is found in anything, and so is a shorter number.
_SHORTEST = 4
_SHORTEST_NUMBER = 7
# Our own AE title, which the image has that `doctor --store` sends; and what is no name in itself.
_OURS = {"NIGHTREAD", "NAME", "Name"}
# What these log in a test's own process; our processes silence them (screening/logs.py).
_OTHERS = re.compile(r"^[A-Z]+ +(?:pydicom|pynetdicom)[.:].*$", re.MULTILINE)
_WORD = re.compile(r"[^\s\"'`,;:|=(){}\[\]<>/\\]+")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
# What structlog writes to stdout where nobody has configured it, as in a test's own process.
_LOGGED = re.compile(r"^(?:\x1b\[\d+m)*\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d.*$", re.MULTILINE)
_QUESTIONS = (
    "SELECT patient_name FROM patients",
    "SELECT patient_id FROM patients",
    "SELECT patient_birth_date FROM patients",
    "SELECT accession_number FROM studies",
)


class PatientWatch:
    """Patients that were used, and logs that were written, since this process began."""

    def __init__(self) -> None:
        self.patients: set[str] = set()
        self._files: dict[Path, int] = {}
        self._said: list[str] = []
        self._new: list[str] = []

    def use(self, value: object) -> None:
        """Note a value that must be in no log; of a name its parts as well."""
        text = str(value or "")
        if re.fullmatch(r"\d{8}", text):
            self.patients.add(f"{text[:4]}-{text[4:6]}-{text[6:]}")
        for word in {text, *_WORD.findall(text), *re.split(r"[\s^=]+", text)}:
            least = _SHORTEST_NUMBER if word.isdigit() else _SHORTEST
            if len(word) >= least and word not in _OURS:
                self.patients.add(word)

    def hear(self, said: str | bytes | None) -> None:
        """Note what was logged."""
        if said:
            text = said.decode(errors="replace") if isinstance(said, bytes) else said
            self._new.append(text)

    def follow(self, path: Path) -> None:
        """Note a file that is logged into."""
        self._files.setdefault(path, 0)

    def found(self, *, everything: bool = False) -> list[str]:
        """Return the lines of what is new that name a patient; or of all that was ever logged."""
        self._new.extend(self._written())
        text = [*self._said, *self._new] if everything else self._new
        lines = [line for each in text for line in each.splitlines() if self._names(line)]
        self._said.extend(self._new)
        self._new = []
        return lines

    def _written(self) -> Iterator[str]:
        for path, before in self._files.items():
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(before)
                content = file.read()
                self._files[path] = before + len(content)
                yield content.decode(errors="replace")

    def _names(self, line: str) -> bool:
        plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), line)
        words = {part.strip(".") for word in _WORD.findall(plain) for part in _parts(word)}
        return not words.isdisjoint(self.patients)


def _parts(word: str) -> list[str]:
    return [word, *word.split("^")]


WATCH = PatientWatch()


def pytest_configure() -> None:
    """Watch data sets that are made, and our processes that are started, from now on."""
    if hasattr(subprocess.Popen, "is_watched"):
        return
    subprocess.Popen.is_watched = True  # type: ignore[attr-defined]
    _watch_data_sets()
    _watch_processes()


def _watch_data_sets() -> None:
    kept = pydicom.Dataset.__setattr__

    def setattr_(self: pydicom.Dataset, name: str, value: object) -> None:
        kept(self, name, value)
        if name in IDENTITY:
            WATCH.use(value)

    pydicom.Dataset.__setattr__ = setattr_  # type: ignore[method-assign]


def _watch_processes() -> None:
    begin, communicate = subprocess.Popen.__init__, subprocess.Popen.communicate

    def init(self: Any, args: Any, *others: Any, **options: Any) -> None:  # noqa: ANN401
        begin(self, args, *others, **options)
        self.is_ours = _is_ours(args)
        # The demonstration ends with a list for people, which is no log.
        if self.is_ours and "demo" not in map(str, args):
            for stream in (options.get("stdout"), options.get("stderr")):
                _follow(stream)

    def communicated(self: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        out, said = communicate(self, *arguments, **options)
        if self.is_ours:
            WATCH.hear(said)
        return out, said

    subprocess.Popen.__init__ = init  # type: ignore[method-assign]
    subprocess.Popen.communicate = communicated  # type: ignore[method-assign]


def _is_ours(args: object) -> bool:
    words = args if isinstance(args, list | tuple) else [args]
    return any(Path(os.fsdecode(word)).name == "nightread" for word in words)


def _follow(stream: object) -> None:
    if stream is None or isinstance(stream, int):
        return
    path = Path(f"/proc/self/fd/{stream.fileno()}").resolve()  # type: ignore[attr-defined]
    if path.is_file():
        WATCH.follow(path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Ask the records for their patients before a test's fixtures go; note what was logged."""
    for value in getattr(item, "funcargs", {}).values():
        _ask(value)
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if isinstance(folder, Path):
        for path in folder.rglob("*.sqlite"):
            _read(path)
        for path in folder.rglob("*.log"):
            # Other people's programs name patients in theirs.
            if not {"orthanc", "postgresql", "redis"} & set(path.parts):
                WATCH.follow(path)
    item.stash[_IS_LAST] = nextitem is None
    return (yield)


_IS_LAST = pytest.StashKey[bool]()


def _ask(value: object) -> None:
    """Ask open records."""
    from sqlalchemy import text

    from screening.errors import RecordsError
    from screening.records.engine import Records

    if not isinstance(value, Records):
        return
    for question in _QUESTIONS:
        with contextlib.suppress(RecordsError), value.read() as session:
            for (found,) in session.execute(text(question)):
                WATCH.use(found)


def _read(path: Path) -> None:
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database,
    ):
        for question in _QUESTIONS:
            for (found,) in database.execute(question):
                WATCH.use(str(found or "").replace("-", "") if "birth" in question else found)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose logs name a patient."""
    report = yield
    if call.when != "teardown":
        return report
    for name, said in report.sections:
        if "stderr" in name or "log" in name:
            WATCH.hear(_OTHERS.sub("", said))
        else:
            WATCH.hear("\n".join(_LOGGED.findall(said)))
    lines = WATCH.found(everything=item.stash.get(_IS_LAST, False))
    if lines and report.outcome == "passed":
        report.outcome = "failed"
        told = "\n".join(lines[:20])
        report.longrepr = f"{len(lines)} lines of logs name a patient of a test:\n{told}"
    return report
