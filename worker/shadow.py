"""A second classifier beside the first: what it says is recorded, and what it breaks harms nothing.

It scores after the first classifier's results are committed. Whatever becomes of it then, an error,
a process that the system kills for its memory, the image is done; only what the shadow said is
missing. It is not tried again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import structlog

from models.classifier import Classifier, load_classifier
from models.input_settings import InputSettings
from models.transforms import PreparedImage
from screening.domain.reason import Exclusion, Reason
from screening.domain.verdict import OperatingPoints
from screening.records.results import Result, Scorer

log = structlog.get_logger(__name__)

# In a row: a shadow that cannot work at all is not asked for ever.
_MOST_FAILURES = 5


class Shadow:
    """A classifier that nobody depends on.

    Parameters
    ----------
    classifier
        Who scores.
    longest_seconds
        A batch that takes longer than this ends the shadow's work in this process.

    Attributes
    ----------
    scorer : Scorer
        Who it is, and by which points its verdicts would be made.
    seconds : float or None
        That each image of the last batch took.
    """

    def __init__(self, classifier: Classifier, longest_seconds: float) -> None:
        self._classifier = classifier
        self._longest = longest_seconds
        self._failures = 0
        self._in_a_row = 0
        self._is_over = False
        self.scorer = Scorer(classifier.identity, classifier.points)
        self.seconds: float | None = None
        self.input: InputSettings = classifier.input

    @classmethod
    def load(cls, reference: str, longest_seconds: float) -> Shadow | None:
        """Load a shadow, or say in the log why there is none; the worker works without."""
        try:
            classifier = load_classifier(reference, setting="NIGHTREAD_SHADOW_MODEL")
        except Exception as error:
            # Whatever is wrong with it, the first classifier has nothing to do with it.
            log.exception("shadow_not_loaded", model=reference, error=type(error).__name__)
            return None
        identity = classifier.identity
        log.info("shadow_loaded", model=identity.name, version=identity.version)
        return cls(classifier, longest_seconds)

    def judge_by(self, points: OperatingPoints | None) -> None:
        """Take the points that are set here for it; ``None``: its own."""
        self.scorer = Scorer(self.scorer.identity, points or self._classifier.points)

    def score(self, prepared: Mapping[int, PreparedImage | Exclusion]) -> dict[int, Result]:
        """Score what could be prepared, by instance row; a failure is each image's reason.

        A score of an image that is unlike the training images is kept, with its strangeness:
        no verdict is made of it. Nothing is raised but what ends a process.
        """
        ready = {row: item for row, item in prepared.items() if isinstance(item, PreparedImage)}
        results: dict[int, Result] = {
            row: item for row, item in prepared.items() if isinstance(item, Exclusion)
        }
        if not ready or self._is_over:
            return results
        started = time.monotonic()
        try:
            predictions = self._classifier.score(list(ready.values()))
            scored = dict(zip(ready, predictions, strict=True))
        except Exception as error:
            return results | dict.fromkeys(ready, self._failed(error, images=len(ready)))
        self._in_a_row = 0
        taken = time.monotonic() - started
        self.seconds = taken / len(ready)
        self._watch(taken)
        return results | scored

    def _failed(self, error: Exception, *, images: int) -> Exclusion:
        self._failures += images
        self._in_a_row += 1
        name = type(error).__name__
        log.warning("shadow_failed", error=name, images=images, failures=self._failures)
        if self._in_a_row >= _MOST_FAILURES:
            self._end(f"{self._in_a_row} failures in a row")
        return Exclusion(Reason.ERROR, name)

    def _watch(self, seconds: float) -> None:
        if seconds > self._longest:
            self._end(f"a batch took {seconds:.0f} s, more than NIGHTREAD_LEASE_SECONDS")

    def _end(self, why: str) -> None:
        self._is_over = True
        log.error("shadow_given_up", why=why, model=self.scorer.identity.name)
