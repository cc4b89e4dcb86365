"""Somebody is who they say: their session begins."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote, unquote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from screening.domain.account import Actor, User
from screening.records import audit, sign_in
from screening.records.users import find_user
from worklist.desk import Desk
from worklist.refusal import RefusalError
from worklist.visitor import COOKIE, LONGEST_SESSION, address_of

# Where somebody was going when they were asked to sign in.
_WAY = "nightread_way"
_WAY_SECONDS = 900
_LONGEST_WAY = 1000


def remember_way(desk: Desk, request: Request, response: Response) -> None:
    """Have the browser keep which page was asked for, until somebody has signed in."""
    way = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if len(way) <= _LONGEST_WAY and request.url.path.startswith(
        ("/cases/", "/statistics", "/drift")
    ):
        response.set_cookie(
            _WAY,
            quote(way),
            max_age=_WAY_SECONDS,
            httponly=True,
            samesite="lax",
            secure=desk.settings.worklist_behind_https,
        )


def _way_of(request: Request) -> str:
    """Return the page that was asked for, if it is one of ours; else the list."""
    way = unquote(request.cookies.get(_WAY, ""))
    is_ours = way.startswith(("/cases/", "/statistics", "/drift")) and way.isprintable()
    return way if is_ours and "\\" not in way and "//" not in way else "/"


def welcome(
    request: Request,
    desk: Desk,
    user: User,
    now: dt.datetime,
    how: str,
    password_hash: str | None = None,
) -> Response:
    """Open a session, and show the page that somebody was going to, or the list.

    Raises
    ------
    RefusalError
        403 if the account, or the password that was given, was changed this very moment.
    """
    address = address_of(request)
    with desk.records.begin() as session:
        found = find_user(session, user.name)
        if found is None or found[0] != user or password_hash not in (None, found[1]):
            raise RefusalError(403, "this account has just been changed: sign in anew")
        sign_in.forget_failures(session, user.name)
        secret = sign_in.open_session(session, user, address, now)
        actor = Actor(user.name, user.role, address, user)
        audit.note(session, actor, audit.Event.SIGNED_IN, now, detail=how)
    response = RedirectResponse(_way_of(request), 303)
    response.delete_cookie(_WAY)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(LONGEST_SESSION.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=desk.settings.worklist_behind_https,
    )
    return response
