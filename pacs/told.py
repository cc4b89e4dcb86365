"""Of which verdicts somebody can be told."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from screening.domain.verdict import Verdict

TOLD = (Verdict.SUSPECTED, Verdict.DOUBTFUL, Verdict.CLEAR, Verdict.NOT_SCORED)


def _without_waiting(value: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    if Verdict.WAITING in value:
        raise ValueError("a study that waits has no result to send")
    return value


ToldVerdicts = Annotated[tuple[Verdict, ...], Field(min_length=1), AfterValidator(_without_waiting)]
