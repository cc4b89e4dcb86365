"""A demonstration from its first line to its last."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.text import Text

from nightread.cases import show
from nightread.data_folder import held
from nightread.database import opened
from nightread.demo_settings import demo_settings
from nightread.send import send_with_progress
from nightread.shutdown import Shutdown
from nightread.supervisor import Supervisor
from nightread.terminal import print_result, progress, remark, remarks, results, write
from nightread.worklist_address import worklist_address
from nightread.wrap import PICTURES, Particulars, Wrapped, find_pictures, wrap_pictures
from pacs.peer import Peer
from pacs.survey import LeftOut, Part10File, survey
from screening.domain.account import Role
from screening.domain.instance import InstanceState
from screening.errors import DependencyError, NightreadError
from screening.records.case_filter import EVERYTHING
from screening.records.cases import list_cases
from screening.records.dossier import Image, open_dossier
from screening.records.sign_in import make_link
from screening.records.tally import tally
from screening.records.users import add_user, find_user
from screening.settings import Settings
from worklist.file_table import file_table

_POLL_SECONDS = 0.3
_READER = "demo"
_LINK_VALID = dt.timedelta(hours=1)
_LINES = 50
# Without one more result in so long something is broken; the slowest image takes seconds.
_PATIENCE_SECONDS = 180.0


class Demonstration:
    """Everything on one machine, with samples on their way through it.

    Parameters
    ----------
    folder
        Of all that it keeps; it may be run again.
    images
        A person's own files; ``None`` for phantoms.
    shutdown
        Whether somebody asked to end.
    """

    def __init__(self, folder: Path, images: Path | None, shutdown: Shutdown) -> None:
        self._folder = folder.absolute()
        self._images = images.absolute() if images else None
        self._shutdown = shutdown
        self._unwrapped: list[Wrapped] = []
        self._settings: Settings
        self._supervisor: Supervisor

    @contextmanager
    def running(self) -> Iterator[Demonstration]:
        """Start everything, and stop it at the end.

        Raises
        ------
        NightreadError
            If something does not start.
        """
        if self._images and not self._images.exists():
            raise NightreadError(f"{self._images} does not exist: name a folder of images")
        with held(self._folder):
            self._settings = demo_settings(self._folder, phantoms=self._images is None)
            logs = self._folder / "logs"
            logs.mkdir(exist_ok=True)
            self._supervisor = Supervisor(self._settings, remark, logs=logs)
            with remarks().status(
                "starting the listener, the worker, the worklist and a private Redis"
            ):
                self._supervisor.start(wanted=self._is_wanted)
            try:
                remark(
                    f"{self._settings.ae_title} listens on {self._settings.dicom_host} port "
                    f"{self._settings.dicom_port}"
                )
                yield self
            finally:
                remark("stopping")
                self._supervisor.stop()

    def screen_everything(self) -> bool:
        """Send all images, wait for all results and print the list.

        Returns
        -------
        bool
            Whether every image could be sent, was accepted, and has a score or a reason.
        """
        files, left_out = self._find()
        peer = Peer(
            self._settings.dicom_host,
            self._settings.dicom_port,
            self._settings.ae_title,
            "NIGHTREAD_DEMO",
        )
        sent = send_with_progress(files, peer, wanted=self._is_wanted)
        for item in sent:
            if not item.accepted:
                remark(f"{item.path}: {item.explanation}")
        for missing in left_out:
            remark(f"{missing.path}: {missing.why}")
        accepted = {item.sop_instance_uid: item.path for item in sent if item.accepted}
        remark(f"{sum(item.accepted for item in sent)} of {len(files)} files sent by C-STORE")
        self._wait_for_results()
        if not self._is_wanted():
            return False
        images = self._held(set(accepted))
        named = {self._name(accepted[uid]): image for uid, image in images.items()}
        self._print_list(named)
        unsettled = set(accepted) - {uid for uid, image in images.items() if _is_settled(image)}
        for uid in sorted(unsettled):
            remark(f"{accepted[uid]}: has neither a score nor a reason")
        lost = unsettled or self._unwrapped or any(item.is_damaged for item in left_out)
        return all(item.accepted for item in sent) and not lost

    def serve(self) -> None:
        """Keep on receiving and scoring until somebody asks to end."""
        if self._is_wanted():
            remark(f"the worklist, for one sign-in: {self._link()}")
            remark("serving; Ctrl-C stops")
        while self._is_wanted():
            self._supervisor.watch()
            time.sleep(_POLL_SECONDS)

    def _link(self) -> str:
        """Return a link that signs the person at this machine in as a radiologist, once."""
        now = dt.datetime.now(dt.UTC)
        with opened(self._settings) as records, records.begin() as session:
            found = find_user(session, _READER)
            user = found[0] if found else add_user(session, _READER, Role.RADIOLOGIST, None, now)
            secret = make_link(session, user, now, _LINK_VALID)
        return f"{worklist_address(self._settings)}sign-in/{secret}"

    def _is_wanted(self) -> bool:
        return not self._shutdown.requested

    def _find(self) -> tuple[list[Part10File], list[LeftOut]]:
        """Return what there is to send: phantoms, or a person's own files."""
        found = list(survey(self._own_files() if self._images else [self._phantoms()]))
        files = [item for item in found if isinstance(item, Part10File)]
        if not files and self._is_wanted():
            raise NightreadError(
                f"there is no DICOM, JPEG or PNG file in {self._images}: name a folder of them"
            )
        return files, [item for item in found if isinstance(item, LeftOut)]

    def _phantoms(self) -> Path:
        from phantoms.samples import write_samples

        folder = self._folder / "phantoms"
        if not folder.is_dir():
            # A phantom's UIDs never change: they are written once, with the date of that night.
            part = self._folder / "phantoms.part"
            with remarks().status("drawing phantoms of radiographs: these are not patients"):
                write_samples(part, now=dt.datetime.now())
            part.replace(folder)
        return folder

    def _own_files(self) -> Iterator[Path]:
        """Yield a person's files, each picture as the DX image that it was wrapped as."""
        assert self._images is not None
        if self._images.is_file() and self._images.suffix.lower() not in PICTURES:
            yield self._images
            return
        pictures = dict(find_pictures([self._images]))
        named = itertools.takewhile(lambda _: self._is_wanted(), pictures.items())
        for item in wrap_pictures(named, self._folder / "wrapped", Particulars()):
            if item.target is None:
                self._unwrapped.append(item)
                remark(f"{item.source}: {item.why}")
            else:
                yield item.target
        if self._images.is_dir():
            files = (path for path in sorted(self._images.rglob("*")) if path.is_file())
            yield from (path for path in files if path not in pictures)

    def _wait_for_results(self) -> None:
        """Wait until no image waits for a score or a reason."""
        waiting, last_change = -1, time.monotonic()
        with opened(self._settings) as records, progress(remarks()) as bar:
            task = bar.add_task("screening", total=None)
            while waiting != 0 and self._is_wanted():
                self._supervisor.watch()
                with records.read() as session:
                    counts = tally(session)
                if counts.waiting != waiting:
                    waiting, last_change = counts.waiting, time.monotonic()
                bar.update(task, completed=counts.received - waiting, total=counts.received)
                if time.monotonic() - last_change > _PATIENCE_SECONDS:
                    raise DependencyError(
                        f"{waiting} images got no result in {_PATIENCE_SECONDS:.0f} s: "
                        f"{self._folder / 'logs'} says why"
                    )
                time.sleep(_POLL_SECONDS)

    def _held(self, uids: set[str]) -> dict[str, Image]:
        """Return the images that the records hold, of those that were sent, by their UID."""
        held_images: dict[str, Image] = {}
        with opened(self._settings) as records, records.read() as session:
            for case in list_cases(session, EVERYTHING, limit=None):
                dossier = open_dossier(session, case.study_instance_uid)
                assert dossier is not None
                held_images |= {image.sop_instance_uid: image for image in dossier.images}
        return {uid: image for uid, image in held_images.items() if uid in uids}

    def _name(self, path: Path) -> str:
        """Return how a person knows a file: from the folder that they named, or from ours."""
        for folder in (self._images, self._folder / "wrapped", self._folder):
            if folder is not None and path.is_relative_to(folder) and path != folder:
                return str(path.relative_to(folder))
        return path.name

    def _of_phantoms(self) -> str:
        said = "These are drawn phantoms and not patients."
        if self._settings.abstain_unlike:
            return said
        return (
            f"{said} They are scored however unlike radiographs they are: "
            "NIGHTREAD_ABSTAIN_UNLIKE=false stands in this demonstration's settings alone."
        )

    def _print_list(self, images: dict[str, Image]) -> None:
        with opened(self._settings) as records, records.read() as session:
            flagged, counts = list_cases(session, limit=_LINES), tally(session)
        print_result("")
        if self._images is None:
            print_result(Text(self._of_phantoms(), style="dim"))
        show(flagged, counts)
        # Nobody asks for a phantom by its file, but of one's own each counts.
        chosen = {n: i for n, i in images.items() if self._images or i.exclusion}
        if chosen:
            print_result("", file_table(chosen, results().width, limit=_LINES))
        command = f"NIGHTREAD_SETTINGS_FILE={_here(os.environ['NIGHTREAD_SETTINGS_FILE'])} {_us()}"
        print_result("", Text("Try next", style="bold"))
        # Not through rich, which would break a long line that is meant to be copied.
        write(f"  {command} cases --all\n")
        if flagged:
            write(f"  {command} study {flagged[0].study_instance_uid}\n")
        write(f"  {command} send YOUR_FILES\n")


def _is_settled(image: Image) -> bool:
    scored = image.state is InstanceState.SCORED and image.score is not None
    return scored or (image.state is InstanceState.NOT_SCORED and image.exclusion is not None)


def _us() -> str:
    """Return how this console was called, for a line that can be copied."""
    called = Path(sys.argv[0])
    return _here(called) if called.name == "nightread" else f"{_here(sys.executable)} -m nightread"


def _here(path: str | Path) -> str:
    """Return a path as it is shortest from the working folder."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path)
