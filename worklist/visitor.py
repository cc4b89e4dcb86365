"""Who asks: a person with a session's cookie, or a machine with a token; and what they may do."""

from __future__ import annotations

import datetime as dt
import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from screening.domain.account import Actor, Right
from screening.records import sign_in, tokens
from screening.records.audit import Event
from worklist.desk import AtDesk, Desk
from worklist.plain_text import plain
from worklist.refusal import RefusalError

COOKIE = "nightread_session"
FORM_SECRET = "form_secret"  # noqa: S105 - the name of a field
FORM_HEADER = "X-Form-Secret"

LONGEST_SESSION = dt.timedelta(hours=12)
"""A working day: then one signs in again, however busy."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_bearer = HTTPBearer(auto_error=False, description="A token of `nightread token create`.")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in.

    Attributes
    ----------
    actor
        Who, for rights and the audit.
    form_secret
        What their forms repeat; empty for a machine.
    session_row
        ``None`` for a machine.
    """

    actor: Actor
    form_secret: str = ""
    session_row: int | None = None

    def may(self, right: Right | str) -> bool:
        """Say whether they have a right."""
        return self.actor.role.may(Right(right))


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else "unknown"


def find_visitor(request: Request, desk: Desk) -> Visitor | None:
    """Return who asks, ``None`` for nobody that we know."""
    header = request.headers.get("authorization", "")
    scheme, _, secret = header.partition(" ")
    if scheme.lower() == "bearer":
        return _machine(request, desk, secret.strip())
    cookie = request.cookies.get(COOKIE)
    return _person(request, desk, cookie) if cookie else None


def _machine(request: Request, desk: Desk, secret: str) -> Visitor | None:
    with desk.records.read() as session:
        token = tokens.find_token(session, secret, desk.clock())
    if token is None:
        return None
    return Visitor(Actor(f"token:{token.name}", token.role, address_of(request)))


def _person(request: Request, desk: Desk, cookie: str) -> Visitor | None:
    now = desk.clock()
    idle = dt.timedelta(minutes=desk.settings.idle_minutes)
    with desk.records.read() as session:
        found = sign_in.find_session(session, cookie, now, idle, LONGEST_SESSION)
    if found is None:
        return None
    if now - found.seen_at > sign_in.SEEN_EVERY and not request.headers.get("X-Live"):
        # A page that is left open asks by itself: that keeps nobody signed in.
        with desk.records.begin() as session:
            sign_in.note_seen(session, found.row, now)
    actor = Actor(found.user.name, found.user.role, address_of(request), found.user)
    return Visitor(actor, found.form_secret, found.row)


class Allowed:
    """An endpoint's parameter: who asks, if they have a right; else the request is refused.

    Parameters
    ----------
    right
        That is needed.
    """

    def __init__(self, right: Right) -> None:
        self._right = right

    async def __call__(
        self, request: Request, desk: AtDesk, _: Annotated[object, Depends(_bearer)] = None
    ) -> Visitor:
        """Return the visitor.

        Raises
        ------
        RefusalError
            401 if nobody is signed in, 403 if they may not, or a form is not our own.
        """
        from starlette.concurrency import run_in_threadpool

        visitor = await run_in_threadpool(find_visitor, request, desk)
        if visitor is None:
            raise RefusalError(401, "sign in first, or send a token: Authorization: Bearer ...")
        if request.method not in _SAFE and visitor.session_row is not None:
            await _require_own_form(request, visitor)
        if not visitor.may(self._right):
            await run_in_threadpool(_note_refusal, request, desk, visitor)
            raise RefusalError(403, f"your role, {visitor.actor.role.value}, may not do this")
        return visitor


async def _require_own_form(request: Request, visitor: Visitor) -> None:
    """Refuse what another site has a browser send: it cannot know the secret of our forms."""
    said = request.headers.get(FORM_HEADER)
    if said is None and request.headers.get("content-type", "").startswith(
        "application/x-www-form-urlencoded"
    ):
        said = str((await request.form()).get(FORM_SECRET, ""))
    if not hmac.compare_digest((said or "").encode(), visitor.form_secret.encode()):
        raise RefusalError(403, "this form is from another page or an old session: load it again")


def _note_refusal(request: Request, desk: Desk, visitor: Visitor) -> None:
    what = plain(f"{request.method} {request.url.path}"[:200])
    desk.note(visitor.actor, Event.REFUSED, detail=what)


Looks = Annotated[Visitor, Depends(Allowed(Right.LOOK))]
Reviews = Annotated[Visitor, Depends(Allowed(Right.REVIEW))]
Administers = Annotated[Visitor, Depends(Allowed(Right.ADMINISTER))]
