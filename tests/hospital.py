"""A PACS with studies, and an installation that fetches from it."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from conftest import require, wait_until
from console import nightread
from desk import SCORER
from installation import Installation
from orthanc_server import Orthanc, running_orthanc
from sqlalchemy import select

from night.runner import Runner
from night.sources import read_sources
from pacs.peer import Peer
from pacs.question import Question
from pacs.send import send
from pacs.survey import Part10File, survey
from screening.archive.folder_archive import FolderArchive
from screening.domain.instance import InstanceState
from screening.domain.night_batch import BatchState
from screening.domain.prediction import Prediction
from screening.records.night_batches import Batch, begin_batch, find_batch
from screening.records.night_tally import BatchTally, tally_batch
from screening.records.results import record_results
from screening.records.schema import InstanceRow
from screening.settings import Settings

DICOMWEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


class Hospital:
    """A PACS with studies, and an installation that fetches from it."""

    def __init__(self, folder: Path, settings: Settings, retrieve: str) -> None:
        program = shutil.which("Orthanc")
        require(program, "no Orthanc: install Debian's orthanc")
        assert program is not None
        self._program, self._folder = program, folder / "orthanc"
        self._known: dict[str, list[str | int]] = {
            "nightread": ["NIGHTREAD", "127.0.0.1", settings.dicom_port]
        }
        self._stack = ExitStack()
        self._plugins = [DICOMWEB] if retrieve == "web" else []
        require(all(Path(each).exists() for each in self._plugins), "no orthanc-dicomweb")
        self.orthanc = self._start(None)
        file = folder / "sources.toml"
        where = (
            f"dicomweb_url = '{self.orthanc.url}/dicom-web'\n"
            if retrieve == "web"
            else f"ae_title = 'ORTHANC'\nhost = '127.0.0.1'\nport = {self.orthanc.dicom_port}\n"
            f"retrieve = '{retrieve}'\n"
        )
        file.write_text(f"[[source]]\nname = 'pacs'\n{where}studies_in_flight = 8\n")
        self.sources = file
        self.settings = settings.model_copy(update={"sources_file": file})
        self.installation = Installation(self.settings)

    def _start(self, ports: tuple[int, int] | None) -> Orthanc:
        return self._stack.enter_context(
            running_orthanc(
                self._program, self._folder, self._known, plugins=self._plugins, ports=ports
            )
        )

    def fill(self, paths: list[Path]) -> None:
        files = [each for each in survey(paths) if isinstance(each, Part10File)]
        peer = Peer("127.0.0.1", self.orthanc.dicom_port, "ORTHANC", "MODALITY")
        assert all(sent.accepted for sent in send(files, peer))

    def lose_power(self) -> None:
        ports = self.orthanc.ports
        self.orthanc.kill()
        self.orthanc = self._start(ports)

    def open(self, *commands: str) -> None:
        """Start the processes that were named, the door among them; all by default."""
        for command in commands or ("listen", "work", "night"):
            self.installation.start(command)
        wait_until(self.installation.listens, 30, "the door answers")

    def console(self, *arguments: object) -> tuple[int, str, str]:
        chosen = {
            name: getattr(self.settings, name)
            for name in ("data_dir", "dicom_port", "sources_file")
        }
        ran = nightread(*arguments, cwd=self._folder.parent, **chosen)
        return ran.returncode, ran.stdout, ran.stderr

    def batch(self, number: int = 1) -> tuple[Batch, BatchTally]:
        with self.installation.records.read() as session:
            found = find_batch(session, number)
            assert found is not None
            return found, tally_batch(session, number)

    def wait_until_ended(self, number: int = 1, seconds: float = 120) -> BatchTally:
        wait_until(
            lambda: self.batch(number)[0].state is BatchState.FINISHED,
            seconds,
            "the batch is finished",
            lambda: (self.batch(number), self.installation.log("night")[-3000:]),
        )
        return self.batch(number)[1]

    def close(self) -> None:
        self.installation.stop()
        self._stack.close()

    def lose_the_file_of(self, film: Path) -> str:
        """Remove an image's bytes from the PACS, which goes on to list it; return its UID."""
        (file,) = survey([film])
        assert isinstance(file, Part10File)
        (found,) = self.orthanc.call("/tools/lookup", file.sop_instance_uid.encode())
        info = self.orthanc.call(f"/instances/{found['ID']}/attachments/dicom/info")
        uuid = info["Uuid"]
        (self._folder / uuid[:2] / uuid[2:4] / uuid).unlink()
        self.lose_power()  # it keeps in memory what came last
        return file.sop_instance_uid

    def fill_the_disk(self, seconds: float) -> None:
        """Leave the archive's disk without a byte for a while."""
        filler = self.settings.archive_dir / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
        time.sleep(seconds)
        filler.unlink()

    def set_hours(self, begin: str, end: str) -> None:
        """Have the PACS asked from one time of the day to another alone."""
        hours = f'hours = {{begin = "{begin}", end = "{end}"}}\n'
        self.sources.write_text(self.sources.read_text() + hours)

    def waits_for(self, what: str) -> bool:
        return what in (self.batch()[0].last_error or "")

    def runner(self, archive: FolderArchive | None = None, **choices: Any) -> Runner:  # noqa: ANN401
        """Return a runner in this process, whose failures wait for nothing."""
        settings = self.settings
        assert settings.sources_file is not None
        door = Peer("127.0.0.1", settings.dicom_port, "NIGHTREAD", "ORTHANC")
        given: dict[str, Any] = {"shortest_pause": dt.timedelta(0), **choices}
        return Runner(
            self.installation.records,
            archive or FolderArchive(settings.archive_dir),
            read_sources(settings.sources_file, settings.ae_title),
            lambda _: door,
            settings.ae_title,
            settings.outgoing_dir,
            **given,
        )

    def begin(self, **question: Any) -> int:  # noqa: ANN401
        """Begin a batch, and return its number."""
        asked = Question.model_validate(question).model_dump(mode="json")
        with self.installation.records.begin() as session:
            made = begin_batch(session, "pacs", asked, _now())
        assert made is not None
        return made.row

    def screen(self) -> None:
        """Give every image that waits a score, as a worker would."""
        with self.installation.records.begin() as session:
            waiting = session.execute(
                select(InstanceRow.study_row, InstanceRow.id).where(
                    InstanceRow.state == InstanceState.WAITING.value
                )
            ).all()
            for study in {study for study, _ in waiting}:
                results = {row: Prediction(0.1) for of, row in waiting if of == study}
                record_results(session, study, results, SCORER, _now(), {})

    def run_until(
        self, runner: Runner, condition: Callable[[], object], *, screening: bool = True
    ) -> None:
        """Have a runner take steps, and somebody screen what comes, until something holds."""

        def holds() -> bool:
            runner.step()
            if screening:
                self.screen()
            return bool(condition())

        wait_until(holds, 60, "the batch comes so far", self.batch)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
