"""A page: a template with what every page shows."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from worklist.desk import Desk
from worklist.visitor import Visitor


def render(
    request: Request,
    desk: Desk,
    visitor: Visitor,
    template: str,
    **values: Any,  # noqa: ANN401
) -> Response:
    """Return a page for somebody who is signed in."""
    common = {
        "visitor": visitor,
        "now": desk.clock(),
        "settings": desk.settings,
        "free_if_low": desk.low_disk.free(),
    }
    return desk.templates.TemplateResponse(request, template, {**common, **values})
