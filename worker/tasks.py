"""The tasks, bound to the queue: their arguments are numbers of rows."""

from __future__ import annotations

import gc
import os
import secrets
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from celery import Celery, Task

from screening.archive.opening import open_archive
from screening.errors import NightreadError
from screening.queue.app import SCORE_CANARIES, SCREEN_STUDY
from screening.records.engine import Records
from screening.settings import Settings
from worker.memory import available_bytes

if TYPE_CHECKING:
    from models.bundle import Bundle
    from screening.domain.appointment import Appointed
    from worker.pipeline import Pipeline

log = structlog.get_logger(__name__)

_OUTAGE_SECONDS = 2.0

_BYTES_PER_PROCESS = 1.2e9
"""Of memory that is free: a scoring process and its reader, at their peaks."""


class ScoringProcess:
    """One process of the pool: its classifiers and connections are made in it, after the fork.

    torch's threads and a database's connections do not survive a fork, so nothing of either may
    exist before it.
    """

    def __init__(self, settings: Settings, threads: int) -> None:
        self._settings = settings
        self._threads = threads
        self._records: Records | None = None
        self._pipeline: Pipeline | None = None

    def warm_up(self) -> None:
        """Load the classifier before the first message; what stands in its way, each will meet."""
        try:
            self.pipeline()
        except NightreadError as error:
            log.error("classifier_not_loaded", error=str(error))

    def screen(self, study_row: int) -> int:
        """Screen a study and whatever else waits, by the champion of each batch's beginning.

        Returns
        -------
        int
            How many images got a score or a reason.

        Raises
        ------
        NightreadError
            If the database does not answer, or the champion's bundle is not here: images wait.
        """
        settled = 0
        while True:
            pipeline = self.pipeline()
            settled += pipeline.screen(study_row)
            is_done = not pipeline.is_superseded
            del pipeline  # its models make room for those that follow
            if is_done:
                return settled

    def pipeline(self) -> Pipeline:
        """Return this process's pipeline; the models are loaded the first time, and new ones.

        Raises
        ------
        NightreadError
            If the database does not answer, or a bundle cannot be loaded.
        """
        from worker.appointed import champion_bundle, read_appointed

        if self._records is None:
            self._records = Records(self._settings.records_url)
        appointed = read_appointed(self._records)
        if self._pipeline is None or self._pipeline.appointed != appointed:
            # Looked for first: a model that is not here costs nobody the one that is.
            bundle = champion_bundle(appointed, self._settings)
            if self._pipeline is not None:
                # Two of each would not fit into the memory that a process is given.
                self._pipeline.close()
                self._pipeline = None
                gc.collect()
            self._pipeline = self._load(self._records, bundle, appointed)
        return self._pipeline

    def _load(self, records: Records, bundle: Bundle, appointed: Appointed) -> Pipeline:
        import torch

        from models.classifier import Classifier
        from models.screener import Screener
        from worker.appointed import shadow_reference
        from worker.memory import keep_freed_memory
        from worker.pipeline import Pipeline
        from worker.readers import Readers
        from worker.shadow import Shadow

        settings = self._settings
        keep_freed_memory()
        torch.set_num_threads(self._threads)
        screener = Screener(
            Classifier.from_bundle(bundle), settings.precision, compiled=settings.compile
        )
        classifier = screener.classifier
        log.info(
            "classifier_loaded",
            model=classifier.identity.name,
            version=classifier.identity.version,
            digest=classifier.identity.digest[:16],
            appointed=appointed.champion is not None,
            bfloat16=screener.quick,
            compiled=screener.compiled,
        )
        shadow = None
        if reference := shadow_reference(appointed, settings):
            shadow = Shadow.load(reference, longest_seconds=settings.lease_seconds)
        readers = Readers(settings, [classifier.input, *([shadow.input] if shadow else [])])
        readers.warm_up()
        return Pipeline(
            settings,
            records,
            open_archive(settings),
            screener,
            readers,
            # Two containers may have one name and one number.
            worker=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
            shadow=shadow,
            appointed=appointed,
        )


def bind(app: Celery, process: ScoringProcess) -> None:
    """Register the tasks with an application."""

    @app.task(name=SCREEN_STUDY, bind=True)  # type: ignore[untyped-decorator]
    def screen_study(task: Task, study_row: int) -> None:
        with structlog.contextvars.bound_contextvars(task_id=task.request.id):
            _screen(process, study_row)

    @app.task(name=SCORE_CANARIES, bind=True)  # type: ignore[untyped-decorator]
    def score_canaries(task: Task, round_row: int) -> None:
        with structlog.contextvars.bound_contextvars(task_id=task.request.id):
            try:
                process.pipeline().score_canaries(round_row)
            except NightreadError as error:
                # The next sweep finds the round again.
                log.error("canaries_not_scored", error=str(error))


def _screen(process: ScoringProcess, study_row: int) -> None:
    try:
        settled = process.screen(study_row)
    except NightreadError as error:
        # What waits is found again by the sweep. Without a pause every message in the queue would
        # be spent on a database that is away for a moment.
        log.error("study_not_screened", study_row=study_row, error=str(error))
        time.sleep(_OUTAGE_SECONDS)
        return
    if settled:
        # With those of other studies that waited.
        log.info("batch_screened", called_for=study_row, images=settled)


def processes(settings: Settings) -> int:
    """Return how many scoring processes to run: as set, else one a core, if memory allows."""
    if settings.worker_processes:
        return settings.worker_processes
    if Path("/dev/nvidia0").exists():
        return 1  # torch itself must not be asked before the pool has forked
    fitting = int(available_bytes() / _BYTES_PER_PROCESS)
    return max(1, min(len(os.sched_getaffinity(0)), fitting))


def threads_per_process(settings: Settings, count: int) -> int:
    """Return the threads of each of `count` scoring processes: as set, else the cores shared."""
    return settings.worker_threads or max(1, len(os.sched_getaffinity(0)) // count)
