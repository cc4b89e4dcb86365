"""The worker as a process: from its settings to the signal that ends it."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack

import structlog
from celery import signals

from screening import logs
from screening.archive.opening import open_archive
from screening.errors import DependencyError
from screening.queue.announcement import Announcer
from screening.queue.app import make_app
from screening.queue.broker import is_there
from screening.records.engine import Records
from screening.settings import Settings
from screening.watching.port import watched
from worker.appointed import look_at_models, require_champion
from worker.sweeper import Sweeper
from worker.tasks import ScoringProcess, bind, processes, threads_per_process

log = structlog.get_logger(__name__)


def run(settings: Settings) -> None:
    """Score until SIGTERM or SIGINT, which let the study at hand finish.

    Raises
    ------
    NightreadError
        If the database, the archive or the model bundle cannot be had.
    """
    logs.configure(settings)
    archive = open_archive(settings)
    archive.require_there()
    records = Records(settings.records_url)
    records.check_schema()
    look_at_models(records, settings)
    # A connection must not be shared with the processes that the pool forks; it opens again later.
    records.close()
    app = make_app(settings.broker_url, lease_seconds=settings.lease_seconds)
    count = processes(settings)
    process = ScoringProcess(settings, threads_per_process(settings, count))
    # Above what a turn may take in which every image of a batch hangs.
    app.conf.task_time_limit = 300 + 2 * settings.read_seconds * (settings.batch_images + 1)
    bind(app, process)
    announcer = Announcer(
        records,
        make_app(settings.broker_url, lease_seconds=settings.lease_seconds),
        sweep=dt.timedelta(seconds=settings.sweep_seconds),
    )
    sweeper = Sweeper(announcer, settings.sweep_seconds)
    watching = ExitStack()
    checks = {
        "records": records.check_schema,
        "archive": archive.require_there,
        "redis": lambda: _require_redis(settings),
        "model": lambda: require_champion(records, settings),
    }

    # The thread starts once the pool has forked, so that no child inherits its locks.
    @signals.worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def ready(**_: object) -> None:
        sweeper.start()
        watching.enter_context(watched(settings, settings.worker_watch_port, records, checks))
        log.info("worker_ready", processes=count)

    @signals.worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def load(**_: object) -> None:
        process.warm_up()

    # Celery would set up logging its own way; a receiver of this signal keeps ours.
    signals.setup_logging.connect(_keep_logging, weak=False)
    worker = app.Worker(
        pool="prefork",
        concurrency=count,
        quiet=True,
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    worker.start()
    watching.close()
    sweeper.stop()
    records.close()
    if worker.exitcode:
        raise DependencyError(
            "the worker ended: Redis refuses it or holds something that is no queue; check "
            "NIGHTREAD_REDIS_URL"
        )
    log.info("worker_stopped")


def _require_redis(settings: Settings) -> None:
    if not is_there(settings.broker_url):
        raise DependencyError("nobody answers at NIGHTREAD_REDIS_URL")


def _keep_logging(**_: object) -> None:
    """Do nothing: our logs are configured."""
