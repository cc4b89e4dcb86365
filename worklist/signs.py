"""How verdicts, scores and ages look: a word and a colour, never a colour alone."""

from __future__ import annotations

import datetime as dt

from rich.text import Text

from screening.domain.verdict import Verdict

STYLES = {
    Verdict.SUSPECTED: "bold red",
    Verdict.DOUBTFUL: "yellow",
    Verdict.CLEAR: "green",
    Verdict.NOT_SCORED: "magenta",
    Verdict.WAITING: "cyan",
}

_NOT_FOR_DIAGNOSIS = "Not for diagnosis: a score orders the list, a radiologist reads every image."


def verdict_sign(verdict: Verdict) -> Text:
    """Return a verdict as a coloured word."""
    return Text(verdict.value.replace("_", " "), style=STYLES[verdict])


def score_sign(score: float | None) -> str:
    """Return a probability with two decimals, or a dash. Only 1 itself is written as 1.00."""
    if score is None:
        return "-"
    return "1.00" if score == 1.0 else f"{min(score, 0.99):.2f}"


def age_sign(age_years: float | None) -> str:
    """Return an age in years, in months below two years, or a dash."""
    if age_years is None:
        return "-"
    return f"{age_years:.0f}" if age_years >= 2 else f"{age_years * 12:.0f} mo"


def span_sign(span: dt.timedelta) -> str:
    """Return how long something took or waits, in the largest unit that says enough."""
    seconds = max(0.0, span.total_seconds())
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def moment_sign(moment: dt.datetime) -> str:
    """Return a moment to the minute by this machine's clock, as an option without a zone is."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


def disclaimer() -> Text:
    """Return the sentence below every list."""
    return Text(_NOT_FOR_DIAGNOSIS, style="dim")
