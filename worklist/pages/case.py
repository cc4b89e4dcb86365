"""A case as a page."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from screening.domain.instance import InstanceState
from screening.domain.review import Finding, Opinion, Review
from screening.records.audit import Event
from screening.records.case_filter import Cursor
from screening.records.cases import Case, find_case, list_cases
from screening.records.deliveries import deliveries_of
from screening.records.dossier import Dossier, Image, open_dossier
from screening.records.priors import priors
from screening.records.reviews import reviews_of, standing_numbers
from worklist.case_query import Wanted, address_of
from worklist.desk import AtDesk
from worklist.pages.page import render
from worklist.refusal import RefusalError
from worklist.shown import viewer_links
from worklist.uid import Uid
from worklist.visitor import Looks

router = APIRouter()


@router.get("/cases/{study_instance_uid}")
def show_case(
    request: Request, desk: AtDesk, visitor: Looks, study_instance_uid: Uid, wanted: Wanted
) -> Response:
    """Show a study, and which one comes next in the list that somebody works on."""
    with desk.records.read() as session:
        dossier = open_dossier(session, study_instance_uid)
        if dossier is None:
            raise RefusalError(404, "no image of this study was received")
        reviews = reviews_of(session, study_instance_uid)
        standing = standing_numbers(session, study_instance_uid)
        others = priors(session, study_instance_uid)
        deliveries = deliveries_of(session, study_instance_uid)
        here = Cursor.parse(dossier.case.cursor)
        following = list_cases(session, wanted, limit=1, after=here)
    desk.note(visitor.actor, Event.OPENED, study=study_instance_uid)
    next_case = following[0] if following else None
    return render(
        request,
        desk,
        visitor,
        "case.html",
        case=dossier.case,
        dossier=dossier,
        images=json.dumps([_shown(image) for image in dossier.images]),
        next_case=next_case,
        next_images=json.dumps(_first_images(desk, next_case)),
        reviews=reviews,
        standing=standing,
        state=_state(dossier.case, reviews),
        priors=others,
        deliveries=deliveries,
        links=viewer_links(desk.settings.viewer_links, dossier.case),
        opinions=list(Opinion),
        findings=list(Finding),
        query=address_of(wanted),
        senders=sorted({image.calling_ae_title for image in dossier.images}),
    )


@router.get("/cases/{study_instance_uid}/reviews")
def show_reviews(
    request: Request,
    desk: AtDesk,
    visitor: Looks,
    study_instance_uid: Uid,
    seen: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Show verdict and reviews anew, where they changed since they were `seen`."""
    with desk.records.read() as session:
        case = find_case(session, study_instance_uid)
        if case is None:
            raise RefusalError(404, "no image of this study was received")
        reviews = reviews_of(session, study_instance_uid)
        standing = standing_numbers(session, study_instance_uid)
    state = _state(case, reviews)
    if state == seen:
        return Response(status_code=204)
    desk.note(visitor.actor, Event.OPENED, study=study_instance_uid, detail="renewed")
    values = {"case": case, "reviews": reviews, "standing": standing, "state": state}
    return render(request, desk, visitor, "renewed_case.html", **values)


def _state(case: Case, reviews: tuple[Review, ...]) -> str:
    """Return a text that changes when something new is to be shown of a case."""
    counts = case.images_received, case.images_scored, case.images_not_scored
    newest = reviews[-1].number if reviews else 0
    return ".".join(map(str, (case.revision, case.verdict.value, *counts, newest)))


def _shown(image: Image) -> dict[str, object]:
    """Return what the viewer needs of an image."""
    newest = image.score
    return {
        "uid": image.sop_instance_uid,
        "has_heatmap": newest is not None and newest.heatmap is not None,
        "hottest": [newest.hottest_x, newest.hottest_y] if newest else None,
        "score": newest.probability if newest else None,
        "verdict": newest.verdict.value if newest else None,
        "laterality": image.laterality,
        "view": image.view_position,
        "number": image.instance_number,
        "has_frame": image.removal is None and None not in (image.rows, image.columns),
        "removal": f"{image.removal}" if image.removal else None,
        "waiting": image.state is InstanceState.WAITING,
    }


def _first_images(desk: AtDesk, case: Case | None) -> list[str]:
    """Return the images of the next case that a browser may fetch ahead."""
    if case is None:
        return []
    with desk.records.read() as session:
        dossier: Dossier | None = open_dossier(session, case.study_instance_uid)
    if dossier is None:
        return []
    there = [image for image in dossier.images if image.rows is not None and not image.removal]
    return [image.sop_instance_uid for image in there][:2]
