"""The tasks, bound to the queue: their arguments are numbers of rows."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from celery import Celery, Task

from screening.archive.archive import Archive
from screening.errors import NightreadError
from screening.queue.app import SCORE_CANARIES, SCREEN_STUDY
from screening.records.engine import Records
from screening.settings import Settings
from worker.memory import available_bytes

if TYPE_CHECKING:
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
        self._pipeline: Pipeline | None = None

    def pipeline(self) -> Pipeline:
        """Return the pipeline of this process, loading the classifier the first time."""
        if self._pipeline is None:
            self._pipeline = self._load()
        return self._pipeline

    def _load(self) -> Pipeline:
        import torch

        from models.classifier import load_classifier
        from models.screener import Screener
        from worker.memory import keep_freed_memory
        from worker.pipeline import Pipeline
        from worker.readers import Readers
        from worker.shadow import Shadow

        settings = self._settings
        keep_freed_memory()
        torch.set_num_threads(self._threads)
        screener = Screener(
            load_classifier(settings.model), settings.precision, compiled=settings.compile
        )
        classifier = screener.classifier
        log.info(
            "classifier_loaded",
            model=classifier.identity.name,
            version=classifier.identity.version,
            digest=classifier.identity.digest[:16],
            bfloat16=screener.quick,
            compiled=screener.compiled,
        )
        shadow = None
        if settings.shadow_model:
            shadow = Shadow.load(settings.shadow_model, longest_seconds=settings.lease_seconds)
        readers = Readers(settings, [classifier.input, *([shadow.input] if shadow else [])])
        readers.warm_up()
        return Pipeline(
            settings,
            Records(settings.records_url),
            Archive(settings.archive_dir),
            screener,
            readers,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            shadow=shadow,
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
        settled = process.pipeline().screen(study_row)
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
