"""The way of an image: claim, read, prepare, score, record; and then, for the record, its shadow.

The unit of work is a batch of a study's waiting images. Each of them ends with a score or a
reason; one that fails is given back and tried again, alone, until its attempts are used up.
Running the pipeline twice changes nothing.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from models.classifier import Classifier
from models.transforms import PreparedImage
from screening.archive.archive import Archive
from screening.dicom.eligibility import exclusion_of
from screening.dicom.header import read_header
from screening.dicom.pixels import blank_or_saturated, read_pixels
from screening.domain.prediction import Prediction
from screening.domain.reason import Exclusion, Reason
from screening.errors import ArchiveAwayError, DecodeError, NightreadError, NoPixelDataError
from screening.records.claims import ClaimedInstance, claim, release
from screening.records.engine import Records
from screening.records.results import Result, Scorer, record_results
from screening.records.shadow import record_shadow
from screening.settings import Settings
from worker.shadow import Shadow

log = structlog.get_logger(__name__)

# Doubled with each attempt: a disk or a memory that is short now may not be in a few seconds.
_BACK_OFF = dt.timedelta(seconds=1)

# Between two looks at an archive that is away: it waits for a person, and so may the images.
_OUTAGE = dt.timedelta(seconds=15)

# A study of thousands of images is left to the next sweep after this long, so that a message is
# done well before Celery's limit ends a process that hangs.
_LONGEST_TURN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Ready:
    """An image as the classifier takes it and, where there is a shadow, as the shadow does."""

    image: PreparedImage
    shadow: PreparedImage | Exclusion | None


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that failed in this attempt, in words without patient data.

    It does not count as an attempt at the image where the machine was at fault.
    """

    error: str
    counts: bool = True


class Pipeline:
    """Scores the waiting images of a study.

    Parameters
    ----------
    settings
        Batch, lease, attempts and the age limit.
    records, archive, classifier
        Where the rows and the bytes are, and who scores.
    worker
        A name for the claims of this process.
    shadow
        Who scores beside the classifier, if anybody does.
    """

    def __init__(
        self,
        settings: Settings,
        records: Records,
        archive: Archive,
        classifier: Classifier,
        worker: str,
        shadow: Shadow | None = None,
    ) -> None:
        self._settings = settings
        self._records = records
        self._archive = archive
        self._classifier = classifier
        self._scorer = Scorer(classifier.identity, classifier.points)
        self._worker = worker
        self._shadow = shadow

    def screen(self, study_row: int) -> int:
        """Screen a study until none of its images is waiting for us, or our turn is over.

        Parameters
        ----------
        study_row
            Number of the study's row.

        Returns
        -------
        int
            How many images got a score or a reason.

        Raises
        ------
        RecordsError
            If the database does not answer; what was claimed is taken up when its lease lapses.
        """
        settled = 0
        deadline = time.monotonic() + _LONGEST_TURN_SECONDS
        while time.monotonic() < deadline and (claimed := self._claim(study_row)):
            settled += self._screen_batch(study_row, claimed)
        return settled

    def _claim(self, study_row: int) -> list[ClaimedInstance]:
        with self._records.begin() as session:
            return claim(
                session,
                study_row,
                worker=self._worker,
                now=_now(),
                lease=dt.timedelta(seconds=self._settings.lease_seconds),
                limit=self._settings.batch_images,
            )

    def _screen_batch(self, study_row: int, claimed: list[ClaimedInstance]) -> int:
        read = {instance.row: self._read(instance) for instance in claimed}
        outcomes = self._score(read)
        self._record(study_row, outcomes, claimed)
        if self._shadow is not None:
            # After the commit: whatever a shadow does, these images are done.
            self._score_in_shadow(self._shadow, read, outcomes)
        return sum(not isinstance(outcome, Failed) for outcome in outcomes.values())

    def _read(self, instance: ClaimedInstance) -> Ready | Exclusion | Failed:
        """Bring one image to the network's input, or say why it has none."""
        if instance.attempt > self._settings.maximum_attempts:
            return Exclusion(Reason.ERROR, instance.last_error or "the worker died at each attempt")
        try:
            return self._prepare(instance)
        except NoPixelDataError as error:
            return Exclusion(Reason.NO_PIXEL_DATA, str(error))
        except DecodeError as error:
            return Exclusion(Reason.CANNOT_DECODE, str(error))
        except ArchiveAwayError as error:
            return _failure(error, "reading", instance, counts=False)
        except Exception as error:
            # One bad image must stop neither its neighbours nor the worker.
            return _failure(error, "reading", instance)

    def _prepare(self, instance: ClaimedInstance) -> Ready | Exclusion:
        path = self._archive.open_path(instance.digest)
        header = read_header(
            path,
            sop_class_uid=instance.sop_class_uid,
            sop_instance_uid=instance.sop_instance_uid,
        )
        exclusion = exclusion_of(header, minimum_age_years=self._settings.minimum_age_years)
        if exclusion is not None:
            return exclusion
        pixels = read_pixels(path)
        flat = blank_or_saturated(pixels)
        if flat is not None:
            return Exclusion(Reason.BLANK_OR_SATURATED, flat)
        image = self._classifier.prepare(pixels)
        return Ready(image, self._shadow.prepare(pixels) if self._shadow else None)

    def _score(self, read: Mapping[int, Ready | Exclusion | Failed]) -> dict[int, Result | Failed]:
        """Score what could be prepared as one batch; a failure gives the whole batch back."""
        ready = {row: item.image for row, item in read.items() if isinstance(item, Ready)}
        outcomes: dict[int, Result | Failed] = {
            row: other for row, other in read.items() if not isinstance(other, Ready)
        }
        if not ready:
            return outcomes
        try:
            predictions = self._classifier.score(list(ready.values()))
        except Exception as error:
            # Out of memory, for instance: each of them is tried alone in the next round.
            log.exception("batch_failed", images=len(ready))
            return outcomes | dict.fromkeys(ready, Failed(f"{type(error).__name__} while scoring"))
        results = [self._result(prediction) for prediction in predictions]
        return outcomes | dict(zip(ready, results, strict=True))

    def _result(self, prediction: Prediction) -> Result:
        """Abstain where a score would be a guess."""
        if prediction.unlike and self._settings.abstain_unlike:
            return Exclusion(Reason.UNLIKE_TRAINING, str(prediction.familiarity))
        return prediction

    def _record(
        self,
        study_row: int,
        outcomes: Mapping[int, Result | Failed],
        claimed: list[ClaimedInstance],
    ) -> None:
        """Write results, the verdict that follows from them, and what is to be tried again."""
        now = _now()
        results = {row: out for row, out in outcomes.items() if not isinstance(out, Failed)}
        with self._records.begin() as session:
            if results:
                record_results(session, study_row, results, self._scorer, now)
            for instance in claimed:
                outcome = outcomes[instance.row]
                if isinstance(outcome, Failed):
                    pause = _BACK_OFF * 2**instance.attempt if outcome.counts else _OUTAGE
                    release(
                        session,
                        instance.row,
                        worker=self._worker,
                        error=outcome.error,
                        retry_at=now + pause,
                        counts=outcome.counts,
                    )

    def _score_in_shadow(
        self,
        shadow: Shadow,
        read: Mapping[int, Ready | Exclusion | Failed],
        outcomes: Mapping[int, Result | Failed],
    ) -> None:
        """Let the shadow score what is settled, and record what it says; nothing is raised."""
        prepared = {
            row: item.shadow
            for row, item in read.items()
            if isinstance(item, Ready) and item.shadow and not isinstance(outcomes[row], Failed)
        }
        try:
            results = shadow.score(prepared)
            with self._records.begin() as session:
                record_shadow(session, results, shadow.scorer, _now())
        except Exception:
            log.exception("shadow_not_recorded", images=len(prepared))


def _failure(
    error: Exception, doing: str, instance: ClaimedInstance, *, counts: bool = True
) -> Failed:
    log.exception("image_failed", sop_instance_uid=instance.sop_instance_uid, doing=doing)
    # Our own messages hold no patient data; a library's may quote the header that it read.
    said = str(error) if isinstance(error, NightreadError) else type(error).__name__
    return Failed(f"{said} while {doing}", counts)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
