"""Pages: the list, a case, signing in, the audit."""

from __future__ import annotations

from fastapi import APIRouter

from worklist.pages import audit, case, cases, sign_in

router = APIRouter()
for part in (sign_in, cases, case, audit):
    router.include_router(part.router)
