"""What a request is answered that cannot be met."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why a request was refused, and what to do."""

    detail: str = Field(examples=["sign in first, or send a token: Authorization: Bearer ..."])


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "A parameter cannot be meant."},
    401: {"model": Problem, "description": "Nobody is signed in, or the token is not ours."},
    403: {"model": Problem, "description": "The role may not do this."},
    404: {"model": Problem, "description": "We never received that."},
    422: {"model": Problem, "description": "A parameter has the wrong form."},
    503: {"model": Problem, "description": "The records do not answer."},
}
