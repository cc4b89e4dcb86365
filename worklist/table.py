"""The list of cases as a table in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from screening.domain.reason import Reason
from screening.records.cases import Case, Tally
from worklist.plain_text import person, plain
from worklist.signs import age_sign, disclaimer, score_sign, verdict_sign

# Below it, a case takes two lines: its numbers stand under its names.
_ROOMY = 120


def case_table(cases: Sequence[Case], width: int) -> RenderableType:
    """Return the cases as a table for a terminal of ``width`` columns."""
    models = {_model(case) for case in cases if case.model}
    table = _roomy(cases, models) if width >= _ROOMY else _narrow(cases, models)
    remarks = [Text(f"Scored by {models.copy().pop()}.", style="dim")] if len(models) == 1 else []
    return Group(table, *remarks, disclaimer())


def tally_line(tally: Tally) -> Text:
    """Return the counts of every image that we ever acknowledged, on one line."""
    parts = [
        f"{tally.received} images received",
        f"{tally.scored} scored",
        f"{tally.not_scored} not scored",
        f"{tally.waiting} waiting",
    ]
    if tally.conflicts:
        parts.append(f"{tally.conflicts} in conflict")
    return Text(", ".join(parts) + ".")


def reason_words(case: Case) -> str:
    """Return why images of a case were not scored, each reason with its count."""
    words = [
        f"{Reason(reason).sentence}" + (f" ({count})" if count > 1 else "")
        for reason, count in sorted(case.reasons.items())
    ]
    if case.images_waiting:
        words.append(f"{case.images_waiting} waiting")
    if case.conflicts:
        words.append(f"{case.conflicts} in conflict")
    return "; ".join(words)


def _roomy(cases: Sequence[Case], models: set[str]) -> Table:
    table = _table()
    for name in ("Patient", "ID", "Age/Sex", "Body part", "Study date", "Accession"):
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    table.add_column("Images", justify="right", no_wrap=True)
    table.add_column("Not scored, and remarks", overflow="fold")
    if len(models) > 1:
        table.add_column("Model", overflow="ellipsis", no_wrap=True)
    for case in cases:
        cells: list[str | Text] = [
            verdict_sign(case.verdict),
            score_sign(case.score),
            _text(person(case.patient_name or "")),
            _text(case.patient_id),
            _age_and_sex(case),
            _text(case.body_part),
            _date(case),
            _text(case.accession_number),
            _images(case),
            reason_words(case),
        ]
        table.add_row(*cells, *([_model(case)] if len(models) > 1 else []))
    return table


def _narrow(cases: Sequence[Case], models: set[str]) -> Table:
    table = _table()
    for name in ("Patient\nID", "Body part\nStudy date", "Accession\nAge/Sex"):
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    table.add_column("Images", justify="right", no_wrap=True)
    table.add_column("Remarks", overflow="fold")
    for case in cases:
        remarks = [reason_words(case), _model(case) if len(models) > 1 else ""]
        table.add_row(
            verdict_sign(case.verdict),
            score_sign(case.score),
            _lines(_text(person(case.patient_name or "")), _text(case.patient_id)),
            _lines(_text(case.body_part), Text(_date(case))),
            _lines(_text(case.accession_number), Text(_age_and_sex(case))),
            _images(case),
            "\n".join(part for part in remarks if part),
        )
    return table


def _table() -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Score", justify="right", no_wrap=True)
    return table


def _text(value: str | None) -> Text:
    """Return foreign text as it is, without a meaning to rich or to the terminal."""
    return Text(plain(value or "") or "-")


def _lines(*lines: Text) -> Text:
    return Text("\n").join(lines)


def _age_and_sex(case: Case) -> str:
    return f"{age_sign(case.age_years)} {plain(case.patient_sex or '')}".strip()


def _date(case: Case) -> str:
    return case.study_date.isoformat() if case.study_date else "-"


def _images(case: Case) -> str:
    return f"{case.images_scored}/{case.images_received}"


def _model(case: Case) -> str:
    return plain(f"{case.model} {case.model_version}") if case.model else ""
