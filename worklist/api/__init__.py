"""REST: the same queries as the pages and the console, for machines."""

from __future__ import annotations

from fastapi import APIRouter

from worklist.api import (
    cases,
    drift,
    images,
    ledger,
    models,
    nights,
    operating_points,
    reviews,
    statistics,
    studies,
)
from worklist.api.problem import PROBLEMS

router = APIRouter(responses=PROBLEMS)
for part in (
    cases,
    studies,
    images,
    reviews,
    statistics,
    drift,
    operating_points,
    models,
    nights,
    ledger,
):
    router.include_router(part.router)
