"""What stands in the records and on the disk, as figures: read when somebody asks."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from screening.domain.delivery import DeliveryState
from screening.errors import RecordsError
from screening.records.audit_relay import Lag, read_lag
from screening.records.backlog import open_batches, read_backlog
from screening.records.champion import find_champion
from screening.records.deliveries import count_deliveries
from screening.records.engine import Records
from screening.settings import Settings


class State(Collector):
    """Reads the state of an installation.

    Parameters
    ----------
    settings, records
        Of the installation.
    """

    def __init__(self, settings: Settings, records: Records) -> None:
        self._settings = settings
        self._records = records

    def collect(self) -> Iterator[Metric]:
        """Yield the disk, and what the records say; where they do not answer, that alone."""
        yield from self._disk()
        try:
            found = list(self._recorded())
        except RecordsError:
            yield _gauge("nightread_records_up", "Whether the database answers.", 0)
            return
        yield _gauge("nightread_records_up", "Whether the database answers.", 1)
        yield from found

    def describe(self) -> list[Metric]:
        """Return nothing: the library would read everything once to learn the names."""
        return []

    def _disk(self) -> Iterator[Metric]:
        try:
            usage = shutil.disk_usage(self._settings.archive_dir)
        except OSError:
            return
        yield _gauge("nightread_disk_bytes", "Size of the archive's disk.", usage.total)
        yield _gauge("nightread_disk_free_bytes", "Free space on the archive's disk.", usage.free)
        yield _gauge(
            "nightread_disk_minimum_free_bytes",
            "Free space below which images are refused.",
            self._settings.minimum_free_bytes,
        )
        yield _gauge(
            "nightread_disk_low_free_bytes",
            "Free space below which the disk is low.",
            self._settings.low_free_bytes,
        )

    def _recorded(self) -> Iterator[Metric]:
        now = dt.datetime.now(dt.UTC)
        with self._records.read() as session:
            backlog = read_backlog(session)
            deliveries = count_deliveries(session)
            batches = open_batches(session)
            champion = find_champion(session)
            lag = read_lag(session) if self._settings.audit_syslog else None
        images = GaugeMetricFamily(
            "nightread_waiting_images", "Images that wait for a worker.", labels=["lane"]
        )
        oldest = GaugeMetricFamily(
            "nightread_oldest_waiting_seconds",
            "Since when the oldest of them has been here.",
            labels=["lane"],
        )
        for each in backlog:
            lane = each.lane.name.lower()
            images.add_metric([lane], each.images)
            oldest.add_metric([lane], max(0.0, (now - each.since).total_seconds()))
        yield from (images, oldest)
        standing = GaugeMetricFamily(
            "nightread_deliveries",
            "Studies by destination and by where their results stand.",
            labels=["destination", "state"],
        )
        for (destination, state), count in deliveries.items():
            if state is not DeliveryState.DELIVERED:
                standing.add_metric([destination, state.value], count)
        yield standing
        if lag is not None:
            yield from _unsent(lag, now)
        yield _gauge("nightread_open_batches", "Batches that are at work.", batches)
        if champion is not None:
            info = GaugeMetricFamily(
                "nightread_model_info",
                "The champion, or where nobody was appointed the model behind the newest score.",
                labels=["model", "version", "digest"],
            )
            model = champion.identity
            info.add_metric([model.name, model.version, model.digest[:16]], 1)
            yield info


def _unsent(lag: Lag, now: dt.datetime) -> Iterator[Metric]:
    age = (now - lag.since).total_seconds() if lag.since else 0.0
    yield _gauge(
        "nightread_audit_unsent",
        "Entries that the audit repository has not been sent.",
        lag.entries,
    )
    yield _gauge(
        "nightread_audit_oldest_unsent_seconds",
        "Since when the oldest stands there.",
        max(0.0, age),
    )


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)
