"""How values look on a page: the words of templates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from screening.domain.reason import Reason
from screening.records.cases import Case
from worklist.batch_table import asked_for
from worklist.night_comparison import Unusual
from worklist.plain_text import person, plain
from worklist.signs import age_sign, moment_sign, score_sign

_DASH = "–"  # noqa: RUF001 - an en dash is meant


def filters() -> dict[str, Callable[..., Any]]:
    """Return the filters of the templates, by name."""
    return {
        "person": lambda name: person(name) if name else "no name",
        "plain": lambda text: plain(text) if text else _DASH,
        "score": score_sign,
        "age": age_sign,
        "words": lambda value: str(value).replace("_", " "),
        "reason": lambda value: Reason(value).sentence,
        "moment": lambda moment: f"{moment.astimezone():%Y-%m-%d %H:%M}",
        "figure": figure,
        "asked_for": asked_for,
        "moment_zone": moment_sign,
        "percent": lambda share: _DASH if share is None else f"{share:.0%}",
    }


def span(since: dt.datetime, now: dt.datetime) -> str:
    """Return how long ago something was, in its largest unit."""
    minutes = max(0, int((now - since).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def figure(unusual: Unusual) -> str:
    """Return a figure of a night beside its limits, in words."""
    control = unusual.control
    if control.value is None:
        return "nothing to say"
    shown = _amount(unusual, control.value)
    if control.low is None or control.high is None:
        return f"{shown} of {control.of} studies; too few before to compare with"
    low, high = _amount(unusual, control.low), _amount(unusual, control.high)
    return f"{shown} of {control.of} studies; {low} to {high} expected"


def _amount(unusual: Unusual, value: float) -> str:
    return f"{value:.3f}" if unusual.figure == "mean score" else f"{100 * value:.1f} %"


def viewer_links(templates: Mapping[str, str], case: Case) -> dict[str, str]:
    """Return the addresses of a case in other viewers, by their names."""
    values = {
        "{study}": case.study_instance_uid,
        "{accession}": case.accession_number or "",
        "{patient}": case.patient_id or "",
    }
    found = {}
    for name, address in templates.items():
        for placeholder, value in values.items():
            address = address.replace(placeholder, quote(value, safe=""))
        found[name] = address
    return found
