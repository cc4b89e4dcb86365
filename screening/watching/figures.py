"""The figures themselves."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Histogram

ASSOCIATIONS = Counter(
    "nightread_associations_total", "Associations that have ended, by how.", ["outcome"]
)
STORES = Counter(
    "nightread_stores_total", "C-STOREs, by the status that they were answered with.", ["status"]
)
RECEIVED_BYTES = Counter("nightread_received_bytes_total", "Bytes of images that were kept.")
STAGE_SECONDS = Histogram(
    "nightread_stage_seconds",
    "How long a batch of images took in a stage of the pipeline.",
    ["stage"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
SCORES = Counter("nightread_scores_total", "Images that were scored, by verdict.", ["verdict"])
NOT_SCORED = Counter(
    "nightread_not_scored_total", "Images that got a reason in place of a score.", ["reason"]
)
FAILED_ATTEMPTS = Counter(
    "nightread_failed_attempts_total", "Attempts at an image that failed, to be tried again."
)
DELIVERIES = Counter(
    "nightread_deliveries_total",
    "Attempts to bring a study's results to a destination, by how they ended.",
    ["destination", "outcome"],
)
REVIEWS = Counter("nightread_reviews_total", "Reviews of studies, by opinion.", ["opinion"])
REMOVED_FILES = Counter(
    "nightread_removed_files_total", "Files that a retention rule removed, by rule.", ["rule"]
)
RETENTION_FAILURES = Counter(
    "nightread_retention_failures_total", "Looks at the rules of retention, and runs, that failed."
)
REMOVED_BYTES = Counter("nightread_removed_bytes_total", "Bytes of files that rules removed.")


def begin_at_zero(counter: Counter, values: Iterable[str]) -> None:
    """Let each value of a counter's label be told before it is counted for the first time.

    Prometheus takes a series that begins with 1 for one that did not rise: the alarm that waits for
    the first image that fails would not ring.
    """
    for value in values:
        counter.labels(value)
