"""``/studies``: all that is known of one."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from screening.domain.review import Review
from screening.errors import PixelError
from screening.records.audit import Event
from screening.records.cases import Case
from screening.records.conflicts import Conflict
from screening.records.dossier import Image, Revision, open_dossier
from screening.records.holds import Hold
from screening.records.located import hottest_image
from screening.records.priors import priors
from screening.records.reviews import reviews_of
from screening.records.surviving import Reidentified
from worklist.api.problem import Problem
from worklist.desk import AtDesk
from worklist.objects import case_object, dossier_object, review_object
from worklist.refusal import RefusalError, removed
from worklist.thumbnail import SIDE, thumbnail
from worklist.uid import Uid
from worklist.visitor import Looks

router = APIRouter(tags=["studies"])


@dataclass(frozen=True, slots=True)
class Study:
    """A study, whole; heatmaps are PNG in base 64."""

    case: Case
    reidentified: Reidentified | None
    images: tuple[Image, ...]
    conflicts: tuple[Conflict, ...]
    revisions: tuple[Revision, ...]
    holds: tuple[Hold, ...]
    reviews: tuple[Review, ...]
    priors: tuple[Case, ...]


@router.get("/studies/{study_instance_uid}", responses={200: {"model": Study}})
def read_study(desk: AtDesk, visitor: Looks, study_instance_uid: Uid) -> Response:
    """Return a study with its images, scores, reasons, revisions, reviews and priors."""
    with desk.records.read() as session:
        dossier = open_dossier(session, study_instance_uid)
        if dossier is None:
            raise RefusalError(404, "no image of this study was received")
        found = dossier_object(dossier)
        found["reviews"] = [review_object(each) for each in reviews_of(session, study_instance_uid)]
        found["priors"] = [case_object(each) for each in priors(session, study_instance_uid)]
    desk.note(visitor.actor, Event.OPENED, study=study_instance_uid)
    return JSONResponse(found)


@router.get(
    "/studies/{study_instance_uid}/thumbnail",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "A small picture."},
        410: {"model": Problem, "description": "A retention rule removed its pixels."},
        415: {"model": Problem, "description": "It has no picture, or a damaged one."},
    },
)
def read_thumbnail(desk: AtDesk, visitor: Looks, study_instance_uid: Uid) -> Response:
    """Return the image that has the study's highest score, small, with its heat: JPEG."""
    with desk.records.read() as session:
        image = hottest_image(session, study_instance_uid)
    if image is None:
        raise RefusalError(404, "no image of this study has a score")
    if image.removal is not None:
        raise removed(image.removal)
    desk.note(visitor.actor, Event.IMAGE_SHOWN, study=study_instance_uid, detail="thumbnail")
    try:
        picture = desk.frames.picture(desk.file(image.digest), 2 * SIDE)
    except PixelError as error:
        raise RefusalError(415, str(error)) from None
    return Response(thumbnail(picture, image.heat), media_type="image/jpeg")
