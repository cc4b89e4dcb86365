"""All objects of a study that a destination wants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from pydicom.dataset import Dataset

from pacs.results.capture import capture_uid, make_capture, make_summary, summary_uid
from pacs.results.carried import carry, stamp
from pacs.results.film import ReadFilm, read_film
from pacs.results.identity import Kind
from pacs.results.key_images import key_images_uid, make_key_images
from pacs.results.outline import make_outline, outline_uid
from pacs.results.report import make_report
from pacs.results.screened import ScreenedImage, ScreenedStudy
from screening.errors import DeliveryError, PixelError


@dataclass(frozen=True, slots=True)
class ResultObject:
    """One object, and what it is for."""

    kind: Kind
    dataset: Dataset

    @property
    def sop_class_uid(self) -> str:
        """Of the object."""
        return str(self.dataset.SOPClassUID)

    @property
    def sop_instance_uid(self) -> str:
        """Of the object."""
        return str(self.dataset.SOPInstanceUID)


@dataclass(frozen=True, slots=True)
class Plan:
    """One object that is to be made.

    Attributes
    ----------
    kind
        What it is for.
    """

    kind: Kind
    _study: ScreenedStudy
    _make: Callable[[], Dataset | None]
    _at: dt.datetime
    _image: ScreenedImage | None = None

    def make(self) -> ResultObject | None:
        """Make it; ``None`` where there is nothing to show.

        Raises
        ------
        DeliveryError
            If it cannot be made of these headers and pixels: the others can go all the same.
        ArchiveError
            If there is nothing to make it of just now.
        """
        original = self._study.original
        try:
            dataset = self._make()
            if dataset is None:
                return None
            carry(original, dataset)
            stamp(dataset, self._at)
        except Exception as error:
            # Whatever a library says of a header may hold a patient.
            said = str(error) if isinstance(error, PixelError) else type(error).__name__
            of = f" of image {self._image.record.sop_instance_uid}" if self._image else ""
            raise DeliveryError(f"{self.kind}{of} not made: {said}") from error
        return ResultObject(self.kind, dataset)


def plan_objects(
    study: ScreenedStudy,
    kinds: Collection[Kind],
    *,
    predecessor: Dataset | None = None,
    planar: bool = False,
    arrived: Collection[str] = (),
    film: ReadFilm = read_film,
) -> Iterator[Plan]:
    """Yield the objects of a study that are to be made, the report first.

    Made again they have the same UIDs and the same content.

    Parameters
    ----------
    study
        As it stands, of one patient.
    kinds
        Which objects are wanted.
    predecessor
        The report that this one supersedes.
    planar
        Whether the report is a Comprehensive SR.
    arrived
        SOP Instance UIDs that need not be made: a picture is dear.
    film
        How a radiograph is decoded: `read_film`, in this process or in another.
    """
    if not study.images:
        return
    if Kind.REPORT in kinds:
        report = partial(make_report, study, predecessor=predecessor, planar=planar)
        yield Plan(Kind.REPORT, study, report, study.decided_at)
    if Kind.SUMMARY in kinds and summary_uid(study) not in arrived:
        yield Plan(Kind.SUMMARY, study, partial(make_summary, study), study.decided_at)
    if Kind.KEY_IMAGES in kinds and key_images_uid(study) not in arrived:
        yield Plan(Kind.KEY_IMAGES, study, partial(make_key_images, study), study.scored_at)
    for image in study.images:
        score = image.score
        if score is None or not image.is_flagged:
            continue
        if Kind.CAPTURE in kinds and capture_uid(image, score) not in arrived:
            capture = partial(make_capture, study, image, film)
            yield Plan(Kind.CAPTURE, study, capture, score.scored_at, image)
        if Kind.OUTLINE in kinds and outline_uid(image, score) not in arrived:
            outline = partial(make_outline, study, image)
            yield Plan(Kind.OUTLINE, study, outline, score.scored_at, image)
