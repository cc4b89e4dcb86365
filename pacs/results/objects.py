"""All objects of a study that a destination wants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

import structlog
from pydicom.dataset import Dataset

from pacs.results.capture import capture_uid, make_capture, make_summary, summary_uid
from pacs.results.carried import carry, stamp
from pacs.results.identity import Kind
from pacs.results.key_images import key_images_uid, make_key_images
from pacs.results.outline import make_outline, outline_uid
from pacs.results.report import make_report
from pacs.results.screened import ScreenedImage, ScreenedStudy

log = structlog.get_logger(__name__)


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


def make_objects(
    study: ScreenedStudy,
    kinds: Collection[Kind],
    *,
    predecessor: Dataset | None = None,
    planar: bool = False,
    arrived: Collection[str] = (),
) -> Iterator[ResultObject]:
    """Make the objects of a study, one after the other, the report first.

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
    """
    if not study.images:
        return
    for kind, make, at in _plans(study, kinds, predecessor, planar=planar, arrived=arrived):
        dataset = make()
        if dataset is None:
            continue
        carry(study.images[0].header, dataset)
        stamp(dataset, at)
        yield ResultObject(kind, dataset)


_Plan = tuple[Kind, Callable[[], Dataset | None], dt.datetime]


def _plans(
    study: ScreenedStudy,
    kinds: Collection[Kind],
    predecessor: Dataset | None,
    *,
    planar: bool,
    arrived: Collection[str],
) -> Iterator[_Plan]:
    """Yield what is to be made, by whom, and of which moment it is."""
    if Kind.REPORT in kinds:
        report = partial(make_report, study, predecessor=predecessor, planar=planar)
        yield Kind.REPORT, report, study.decided_at
    if Kind.SUMMARY in kinds and summary_uid(study) not in arrived:
        yield Kind.SUMMARY, partial(make_summary, study), study.decided_at
    if Kind.KEY_IMAGES in kinds and key_images_uid(study) not in arrived:
        yield Kind.KEY_IMAGES, partial(make_key_images, study), study.scored_at
    for image in study.images:
        score = image.score
        if score is None or not image.is_flagged:
            continue
        if Kind.CAPTURE in kinds and capture_uid(image, score) not in arrived:
            yield Kind.CAPTURE, partial(_if_it_can, make_capture, study, image), score.scored_at
        if Kind.OUTLINE in kinds and outline_uid(image, score) not in arrived:
            yield Kind.OUTLINE, partial(_if_it_can, make_outline, study, image), score.scored_at


def _if_it_can(
    make: Callable[[ScreenedStudy, ScreenedImage], Dataset | None],
    study: ScreenedStudy,
    image: ScreenedImage,
) -> Dataset | None:
    """Make a picture of one image; where that fails, the others and the report go all the same."""
    try:
        return make(study, image)
    except Exception as error:
        # Whatever a library says of a header may hold a patient.
        uid = image.record.sop_instance_uid
        log.error("object_not_made", sop_instance_uid=uid, error=type(error).__name__)
        return None
