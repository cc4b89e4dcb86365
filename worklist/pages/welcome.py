"""Somebody is who they say: their session begins."""

from __future__ import annotations

import datetime as dt

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from screening.domain.account import Actor, User
from screening.records import audit, sign_in
from worklist.desk import Desk
from worklist.visitor import COOKIE, LONGEST_SESSION, address_of


def welcome(request: Request, desk: Desk, user: User, now: dt.datetime, how: str) -> Response:
    """Open a session, and show the list."""
    address = address_of(request)
    with desk.records.begin() as session:
        sign_in.forget_failures(session, user.name)
        secret = sign_in.open_session(session, user, address, now)
        actor = Actor(user.name, user.role, address, user)
        audit.note(session, actor, audit.Event.SIGNED_IN, now, detail=how)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(LONGEST_SESSION.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=desk.settings.worklist_behind_https,
    )
    return response
