"""Pages: the list, a case, nights, statistics, drift, models, signing in, the audit."""

from __future__ import annotations

from fastapi import APIRouter

from worklist.pages import (
    audit,
    case,
    cases,
    drift,
    models,
    nights,
    openid,
    operating_points,
    sign_in,
    statistics,
)

router = APIRouter()
for part in (
    openid,
    sign_in,
    cases,
    case,
    statistics,
    drift,
    operating_points,
    models,
    nights,
    audit,
):
    router.include_router(part.router)
