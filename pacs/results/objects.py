"""All objects of a study that a destination wants."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import structlog
from pydicom.dataset import Dataset

from pacs.results.capture import make_capture, make_summary
from pacs.results.carried import carry, stamp
from pacs.results.identity import Kind
from pacs.results.key_images import make_key_images
from pacs.results.outline import make_outline
from pacs.results.report import make_report
from pacs.results.screened import ScreenedStudy
from screening.errors import PixelError

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
) -> list[ResultObject]:
    """Make the objects of a study; made again they have the same UIDs and the same content.

    Parameters
    ----------
    study
        As it stands.
    kinds
        Which objects are wanted.
    predecessor
        The report that this one supersedes.
    planar
        Whether the report is a Comprehensive SR.

    Returns
    -------
    list of ResultObject
        The report first. None of a study without an image that is not ours.
    """
    if not study.images:
        return []
    made = [
        ResultObject(kind, dataset)
        for kind, dataset in _all(study, kinds, predecessor, planar=planar)
        if dataset is not None
    ]
    for each in made:
        carry(study.images[0].header, each.dataset)
        stamp(each.dataset, study.decided_at)
    return made


def _all(
    study: ScreenedStudy, kinds: Collection[Kind], predecessor: Dataset | None, *, planar: bool
) -> Iterator[tuple[Kind, Dataset | None]]:
    if Kind.REPORT in kinds:
        yield Kind.REPORT, make_report(study, predecessor=predecessor, planar=planar)
    if Kind.SUMMARY in kinds:
        yield Kind.SUMMARY, make_summary(study)
    if Kind.KEY_IMAGES in kinds:
        yield Kind.KEY_IMAGES, make_key_images(study)
    for image in study.images:
        if not image.is_flagged:
            continue
        if Kind.CAPTURE in kinds:
            try:
                yield Kind.CAPTURE, make_capture(study, image)
            except PixelError as error:
                # It was decoded when it was scored: the file has changed, or a library has.
                uid = image.record.sop_instance_uid
                log.error("capture_not_made", sop_instance_uid=uid, error=str(error))
        if Kind.OUTLINE in kinds:
            yield Kind.OUTLINE, make_outline(study, image)
