"""``/images``: pictures of them, frames with every bit, and heatmaps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from screening.errors import PixelError
from screening.records.audit import Event
from screening.records.located import LocatedImage, locate_image, newest_heatmap
from worklist.api.problem import Problem
from worklist.desk import AtDesk, Desk
from worklist.refusal import RefusalError, removed
from worklist.uid import Uid
from worklist.visitor import Looks, Visitor

_PIECE = 1 << 18

router = APIRouter(
    tags=["images"],
    responses={
        410: {"model": Problem, "description": "A retention rule removed its pixels."},
        415: {"model": Problem, "description": "It has no picture, or a damaged one."},
    },
)


def _located(desk: Desk, visitor: Visitor, uid: str, what: str) -> LocatedImage:
    """Find an image and note that somebody looks at it."""
    with desk.records.read() as session:
        image = locate_image(session, uid)
    if image is None:
        raise RefusalError(404, "no such image was received")
    if image.removal is not None:
        raise removed(image.removal)
    detail = f"{what} of {uid}"
    desk.note(visitor.actor, Event.IMAGE_SHOWN, study=image.study_instance_uid, detail=detail)
    return image


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]


@router.get(
    "/images/{sop_instance_uid}/frame",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "A frame."}},
)
def read_frame(
    desk: AtDesk,
    visitor: Looks,
    sop_instance_uid: Uid,
    x_ahead: Annotated[
        str, Header(max_length=10, description="Fetched before anybody asked for it: yes.")
    ] = "",
) -> Response:
    """Return a frame with its full depth.

    Four bytes, little endian, say how long the description is that follows: JSON with rows,
    columns, slope and intercept (a pixel's value is `word * slope + intercept`), windows or a VOI
    LUT, the lowest and highest value, whether low values are bright, padding, and the spacing in
    mm. Then the words: unsigned, 16 bits, little endian, row by row.
    """
    what = "frame, fetched ahead," if x_ahead else "frame"
    image = _located(desk, visitor, sop_instance_uid, what)
    try:
        frame = desk.frames.frame(desk.file(image.digest))
    except PixelError as error:
        raise RefusalError(415, str(error)) from None
    # In pieces: whole, each visitor who reads slowly would hold a copy of it.
    headers = {"Content-Length": str(len(frame))}
    return StreamingResponse(_pieces(frame), media_type="application/octet-stream", headers=headers)


@router.get(
    "/images/{sop_instance_uid}/picture",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A picture."}},
)
def read_picture(
    desk: AtDesk,
    visitor: Looks,
    sop_instance_uid: Uid,
    side: Annotated[int, Query(ge=16, le=4096, description="Longer side, in pixels.")] = 1024,
) -> Response:
    """Return an image as PNG of 8 bits, windowed as its file asks for."""
    image = _located(desk, visitor, sop_instance_uid, "picture")
    try:
        picture = desk.frames.picture(desk.file(image.digest), side)
    except PixelError as error:
        raise RefusalError(415, str(error)) from None
    return Response(picture, media_type="image/png")


@router.get(
    "/images/{sop_instance_uid}/heatmap",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A heatmap."}},
)
def read_heatmap(desk: AtDesk, visitor: Looks, sop_instance_uid: Uid) -> Response:
    """Return where the classifier saw a fracture: PNG of 8 bits, from edge to edge of the image."""
    _located(desk, visitor, sop_instance_uid, "heatmap")
    with desk.records.read() as session:
        picture = newest_heatmap(session, sop_instance_uid)
    if picture is None:
        raise RefusalError(404, "its newest score has no heatmap: only flagged images have one")
    return Response(picture, media_type="image/png")
