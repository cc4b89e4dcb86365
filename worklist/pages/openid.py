"""Signing in by OpenID Connect: there, and back."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from screening.domain.account import LONGEST_NAME, Actor, Role
from screening.errors import DependencyError, SignInError
from screening.records import audit
from screening.records.users import find_user
from worklist.desk import AtDesk, Desk
from worklist.openid import CALLBACK, Attempt, SignInService
from worklist.pages.welcome import welcome
from worklist.refusal import RefusalError
from worklist.visitor import address_of

log = structlog.get_logger(__name__)
router = APIRouter()

_COOKIE = "nightread_openid"
_MINUTES = 10
_PATH = "/sign-in/openid"


@router.get(_PATH)
def go_there(desk: AtDesk) -> Response:
    """Send somebody to the sign-in service."""
    attempt = Attempt.new()
    try:
        address = _service(desk).begin(attempt)
    except DependencyError as error:
        raise _refusal(error, 503) from None
    response = RedirectResponse(address, 303)
    response.set_cookie(
        _COOKIE,
        str(attempt),
        max_age=60 * _MINUTES,
        path=_PATH,
        httponly=True,
        samesite="lax",
        secure=desk.settings.worklist_behind_https,
    )
    return response


@router.get(CALLBACK)
def come_back(
    request: Request,
    desk: AtDesk,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
) -> Response:
    """Sign in whom the service vouches for, if they have an account here."""
    service = _service(desk)
    try:
        attempt = Attempt.parse(request.cookies.get(_COOKIE, ""))
        if not code:
            raise SignInError("the sign-in service did not let you in")
        name = service.finish(attempt, state, code)
    except SignInError as error:
        raise _refusal(error, 403) from None
    except DependencyError as error:
        raise _refusal(error, 503) from None
    response = _welcome(request, desk, name)
    response.delete_cookie(_COOKIE, path=_PATH)
    return response


def _welcome(request: Request, desk: Desk, name: str) -> Response:
    with desk.records.read() as session:
        found = None if "\0" in name else find_user(session, name)
    # Exactly: a service may tell apart what looks the same.
    if found is None or found[0].name != name:
        nobody = Actor(name[:LONGEST_NAME].replace("\0", ""), Role.VIEWER, address_of(request))
        desk.note(nobody, audit.Event.SIGN_IN_FAILED, detail="with OpenID Connect: no account")
        raise RefusalError(
            403, "you have no account here that is enabled: ask who administers Nightread"
        )
    return welcome(request, desk, found[0], desk.clock(), "with OpenID Connect")


def _service(desk: Desk) -> SignInService:
    if desk.sign_in_service is None:
        raise RefusalError(404, "there is no sign-in service: sign in with a password")
    return desk.sign_in_service


def _refusal(error: Exception, status: int) -> RefusalError:
    log.warning("openid_sign_in_failed", error=str(error))
    return RefusalError(status, str(error))
