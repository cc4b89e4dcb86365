"""``/studies/.../reviews``: what radiologists say."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from screening.domain.account import User
from screening.domain.review import LONGEST_NOTE, Finding, Opinion, Review
from screening.errors import ContradictionError, ReviewError, RevisedError
from screening.records import audit
from screening.records.cases import find_case
from screening.records.reviews import add_review, reviews_of, take_back
from screening.watching.figures import REVIEWS
from worklist.api.problem import Problem
from worklist.desk import AtDesk
from worklist.objects import review_object
from worklist.refusal import RefusalError
from worklist.uid import Uid
from worklist.visitor import Looks, Reviews, Visitor

router = APIRouter(tags=["reviews"])


class NewReview(BaseModel):
    """What a radiologist says of a study, or of one of its images."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"opinion": "disagree", "finding": "no_fracture"}]},
    )

    opinion: Opinion = Field(description="Whether they share the verdict.")
    finding: Finding | None = Field(default=None, description="What they see.")
    note: str = Field(default="", max_length=LONGEST_NOTE)
    sop_instance_uid: str | None = Field(
        default=None, max_length=64, description="Of one image; null for the study."
    )
    revision: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="Of the verdict that was seen; null for any."
    )


@router.get("/studies/{study_instance_uid}/reviews", responses={200: {"model": list[Review]}})
def read_reviews(desk: AtDesk, visitor: Looks, study_instance_uid: Uid) -> Response:
    """Return every review of a study, and what was taken back: `opinion` is null then."""
    with desk.records.read() as session:
        if find_case(session, study_instance_uid) is None:
            raise RefusalError(404, "no image of this study was received")
        found = reviews_of(session, study_instance_uid)
    desk.note(visitor.actor, audit.Event.OPENED, study=study_instance_uid, detail="reviews")
    return JSONResponse([review_object(each) for each in found])


@router.post(
    "/studies/{study_instance_uid}/reviews",
    status_code=201,
    responses={
        201: {"model": Review},
        409: {"model": Problem, "description": "The verdict was revised since it was seen."},
    },
)
def write_review(
    desk: AtDesk, visitor: Reviews, study_instance_uid: Uid, given: NewReview
) -> Response:
    """Record a review. The ones before it stay on record."""
    user = _person(visitor)
    if "\0" in given.note + (given.sop_instance_uid or ""):
        raise RefusalError(400, "a note holds a character that no record takes")
    now = desk.clock()
    try:
        with desk.records.begin() as session:
            review = add_review(
                session,
                study_instance_uid,
                user,
                given.opinion,
                now,
                finding=given.finding,
                note=given.note,
                sop_instance_uid=given.sop_instance_uid,
                revision=given.revision,
            )
            audit.note(
                session,
                visitor.actor,
                audit.Event.REVIEWED,
                now,
                study_instance_uid=study_instance_uid,
                detail=f"review {review.number}: {given.opinion.value}",
            )
    except RevisedError as error:
        raise RefusalError(409, str(error)) from None
    except ContradictionError as error:
        raise RefusalError(400, str(error)) from None
    except ReviewError as error:
        raise RefusalError(404, str(error)) from None
    REVIEWS.labels(given.opinion.value).inc()
    return JSONResponse(review_object(review), 201)


@router.delete("/studies/{study_instance_uid}/reviews/newest", responses={200: {"model": Review}})
def take_back_review(desk: AtDesk, visitor: Reviews, study_instance_uid: Uid) -> Response:
    """Take back one's own newest review of a study; both stay on record."""
    user = _person(visitor)
    now = desk.clock()
    try:
        with desk.records.begin() as session:
            review = take_back(session, study_instance_uid, user, now)
            audit.note(
                session,
                visitor.actor,
                audit.Event.REVIEW_TAKEN_BACK,
                now,
                study_instance_uid=study_instance_uid,
                detail=f"review {review.number}",
            )
    except ReviewError as error:
        raise RefusalError(404, str(error)) from None
    return JSONResponse(review_object(review))


def _person(visitor: Visitor) -> User:
    if visitor.actor.user is None:
        raise RefusalError(403, "a review is a person's: a token cannot write one")
    return visitor.actor.user
