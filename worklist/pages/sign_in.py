"""Signing in and out."""

from __future__ import annotations

import threading
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from screening.domain.account import Actor, Role
from screening.records import audit, sign_in
from screening.records.users import find_user
from worklist.desk import AtDesk, Desk
from worklist.pages.welcome import welcome
from worklist.password import is_password, make_hash
from worklist.refusal import RefusalError
from worklist.visitor import COOKIE, Looks, address_of, find_visitor

router = APIRouter()

_TURN = threading.Lock()
# Whoever waits holds a thread of the desk, and needs no account for that.
_WAITING = threading.BoundedSemaphore(8)


@router.get("/sign-in")
def show_form(request: Request, desk: AtDesk) -> Response:
    """Ask for a name and a password."""
    if find_visitor(request, desk) is not None:
        return RedirectResponse("/", 303)
    return _form(request, desk, "")


@router.post("/sign-in")
def sign_in_by_password(
    request: Request,
    desk: AtDesk,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=1024)],
) -> Response:
    """Sign somebody in, or say no more than that it was not right."""
    _require_same_site(request)
    # One at a time: however many guess at once, each failure counts before the next is looked at,
    # and a hash that is slow and large on purpose is worked out once at a time.
    if not _WAITING.acquire(blocking=False):
        raise RefusalError(503, "too many sign in at once: try again in a moment")
    try:
        with _TURN:
            return _sign_in(request, desk, name, password)
    finally:
        _WAITING.release()


def _sign_in(request: Request, desk: Desk, name: str, password: str) -> Response:
    now, address = desk.clock(), address_of(request)
    name = name.replace("\0", "").strip()  # as it is looked up: no other spelling counts apart
    with desk.records.read() as session:
        waits = sign_in.must_wait(session, name, address, now)
        found = find_user(session, name)
    if waits:
        return _ask_again(
            request, desk, 429, "too many sign-ins failed: try again in a quarter of an hour"
        )
    # Checked for an unknown name as well: how long it takes tells nobody whether there is one.
    is_right = is_password(password, (found and found[1]) or _nobodys_hash())
    if found is None or found[1] is None or not is_right:
        with desk.records.begin() as session:
            sign_in.note_failure(session, name, address, now)
            actor = Actor(name, Role.VIEWER, address)
            audit.note(session, actor, audit.Event.SIGN_IN_FAILED, now)
        return _ask_again(request, desk, 401, "name or password is not right")
    return welcome(request, desk, found[0], now, "with a password", found[1])


@router.get("/sign-in/{secret}")
def sign_in_by_link(request: Request, desk: AtDesk, secret: str) -> Response:
    """Sign in whoever opens a link for the first time."""
    now, address = desk.clock(), address_of(request)
    if find_visitor(request, desk) is not None:
        raise RefusalError(409, "somebody is signed in here: sign out first")
    guesser = f"a link, from {address}"
    with desk.records.read() as session:
        if sign_in.must_wait(session, guesser, address, now):
            raise RefusalError(429, "too many links failed: try again in a quarter of an hour")
    with desk.records.begin() as session:
        user = sign_in.use_link(session, secret, now)
        if user is None:
            sign_in.note_failure(session, guesser, address, now)
            audit.note(
                session, Actor("a link", Role.VIEWER, address), audit.Event.SIGN_IN_FAILED, now
            )
    if user is None:
        raise RefusalError(
            403,
            "this link was used already or is too old: ask for another one (nightread user link "
            "NAME, or start nightread demo again)",
        )
    return welcome(request, desk, user, now, "with a link")


@router.post("/sign-out")
def sign_out(request: Request, desk: AtDesk, visitor: Looks) -> Response:
    """End the session."""
    now = desk.clock()
    with desk.records.begin() as session:
        if visitor.session_row is not None:
            sign_in.end_session(session, visitor.session_row, now)
        audit.note(session, visitor.actor, audit.Event.SIGNED_OUT, now)
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE)
    return response


def _ask_again(request: Request, desk: Desk, status: int, sentence: str) -> Response:
    return _form(request, desk, sentence, status)


def _form(request: Request, desk: Desk, sentence: str, status: int = 200) -> Response:
    values = {"sentence": sentence, "has_service": desk.sign_in_service is not None}
    return desk.templates.TemplateResponse(request, "sign_in.html", values, status_code=status)


def _require_same_site(request: Request) -> None:
    """Refuse a sign-in that another site sends: it would have somebody work under its name."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise RefusalError(403, "sign in on the page of Nightread itself")


@cache
def _nobodys_hash() -> str:
    return make_hash("nobody's password")
