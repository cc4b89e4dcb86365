"""Which cases an address asks for: the filter as a query string, and back."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from screening.domain.reason import Reason
from screening.domain.search_words import LONGEST
from screening.domain.verdict import FLAGGED, Verdict
from screening.records.case_filter import CaseFilter, Cursor
from worklist.refusal import RefusalError

Reviewed = Literal["no", "yes", "any"]

_LONGEST_TEXT = 4 * LONGEST


def case_filter(
    verdict: Annotated[
        list[Verdict] | None,
        Query(
            description="Of the study; may be repeated. By default suspected and doubtful, or all "
            "where a text or a reason is asked for."
        ),
    ] = None,
    reviewed: Annotated[Reviewed, Query(description="Whether somebody has reviewed it.")] = "any",
    body_part: Annotated[str, Query(max_length=64, description="As HAND.")] = "",
    sender: Annotated[str, Query(max_length=16, description="Calling AE title.")] = "",
    reason: Annotated[
        Reason | Literal[""], Query(description="One for which an image was not scored.")
    ] = "",
    first_date: Annotated[dt.date | Literal[""], Query(description="Of the study, or later.")] = "",
    last_date: Annotated[
        dt.date | Literal[""], Query(description="Of the study, or earlier.")
    ] = "",
    text: Annotated[
        str,
        Query(
            max_length=_LONGEST_TEXT,
            description="Beginnings of words of the patient's name or identifier, of the accession "
            "number or the Study Instance UID.",
        ),
    ] = "",
) -> CaseFilter:
    """Read a filter from an address.

    Raises
    ------
    RefusalError
        400 if it cannot be meant.
    """
    if "\0" in body_part + sender + text:
        raise RefusalError(400, "a filter holds a character that no record has")
    return CaseFilter(
        verdicts=frozenset(verdict) if verdict else _default(text, reason),
        reviewed={"no": False, "yes": True, "any": None}[reviewed],
        body_part=body_part.strip(),
        calling_ae_title=sender.strip(),
        reason=reason or None,
        first_date=first_date or None,
        last_date=last_date or None,
        text=text.strip(),
    )


def _default(text: str, reason: object) -> frozenset[Verdict]:
    """Return the verdicts of an address that names none: who looks for one study wants that."""
    return frozenset(Verdict) if text.strip() or reason else FLAGGED


def cursor(
    after: Annotated[
        str, Query(max_length=40, description="Where the page before ended: its `next`.")
    ] = "",
) -> Cursor | None:
    """Read where a page begins.

    Raises
    ------
    RefusalError
        400 if that is no cursor.
    """
    try:
        return Cursor.parse(after) if after else None
    except ValueError as error:
        raise RefusalError(400, str(error)) from None


Wanted = Annotated[CaseFilter, Depends(case_filter)]
After = Annotated[Cursor | None, Depends(cursor)]


def address_of(wanted: CaseFilter) -> str:
    """Return the query string that :func:`case_filter` reads a filter from."""
    pairs: list[tuple[str, str]] = []
    if wanted.verdicts != _default(wanted.text, wanted.reason):
        pairs += [("verdict", verdict.value) for verdict in Verdict if verdict in wanted.verdicts]
    if wanted.reviewed is not None:
        pairs.append(("reviewed", "yes" if wanted.reviewed else "no"))
    fields = {
        "body_part": wanted.body_part,
        "sender": wanted.calling_ae_title,
        "reason": wanted.reason.value if wanted.reason else "",
        "first_date": wanted.first_date.isoformat() if wanted.first_date else "",
        "last_date": wanted.last_date.isoformat() if wanted.last_date else "",
        "text": wanted.text,
    }
    pairs += [(name, value) for name, value in fields.items() if value]
    return urlencode(pairs)
