"""The list of cases as a table in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from screening.domain.reason import Reason
from screening.records.cases import Case
from screening.records.tally import Tally
from worklist.columns import Column, fitted_table
from worklist.plain_text import person, plain
from worklist.signs import age_sign, disclaimer, score_sign, verdict_sign

# Below it, a case takes two lines: its numbers stand under its names.
_ROOMY = 124

_VERDICT = Column("Verdict", 10, 10)
_SCORE = Column("Score", 5, 5, right=True)
_IMAGES = Column("Images", 6, 9, right=True)
_MODEL = Column("Model", 10, 24)
_WIDE = (
    _VERDICT,
    _SCORE,
    Column("Patient", 14, 36),
    Column("ID", 10, 24),
    Column("Age/Sex", 7, 7),
    Column("Body part", 10, 20),
    Column("Study date", 10, 10),
    Column("Accession", 10, 16),
    _IMAGES,
    Column("Remarks", 20, 60, folds=True),
)
_NARROW = (
    _VERDICT,
    _SCORE,
    Column("Patient\nID", 14, 36),
    Column("Body part\nStudy date", 10, 20),
    Column("Accession\nAge/Sex", 8, 16),
    _IMAGES,
    Column("Remarks", 12, 60, folds=True),
)


def case_table(cases: Sequence[Case], width: int) -> RenderableType:
    """Return the cases as a table for a terminal of ``width`` columns, from 80."""
    models = {_model(case) for case in cases if case.model}
    several = len(models) > 1
    wide = width >= _ROOMY
    rows = [
        [*(_wide_row(case) if wide else _narrow_row(case)), *([Text(_model(case))] * several)]
        for case in cases
    ]
    columns = (*(_WIDE if wide else _NARROW), *([_MODEL] * several))
    remarks = [Text(f"Scored by {models.copy().pop()}.", style="dim")] if len(models) == 1 else []
    return Group(fitted_table(columns, rows, width), *remarks, disclaimer())


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
    if case.patients > 1:
        words.append(f"its images name {case.patients} patients")
    return "; ".join(words)


def _wide_row(case: Case) -> list[Text]:
    return [
        verdict_sign(case.verdict),
        Text(score_sign(case.score)),
        _text(person(case.patient_name or "")),
        _text(case.patient_id),
        _age_and_sex(case),
        _text(case.body_part),
        _date(case),
        _text(case.accession_number),
        _images(case),
        Text(reason_words(case)),
    ]


def _narrow_row(case: Case) -> list[Text]:
    return [
        verdict_sign(case.verdict),
        Text(score_sign(case.score)),
        _lines(_text(person(case.patient_name or "")), _text(case.patient_id)),
        _lines(_text(case.body_part), _date(case)),
        _lines(_text(case.accession_number), _age_and_sex(case)),
        _images(case),
        Text(reason_words(case)),
    ]


def _text(value: str | None) -> Text:
    """Return foreign text as it is, without a meaning to rich or to the terminal."""
    return Text(plain(value or "") or "-")


def _lines(*lines: Text) -> Text:
    return Text("\n").join(lines)


def _age_and_sex(case: Case) -> Text:
    return Text(f"{age_sign(case.age_years)} {plain(case.patient_sex or '')}".strip())


def _date(case: Case) -> Text:
    return Text(case.study_date.isoformat() if case.study_date else "-")


def _images(case: Case) -> Text:
    return Text(f"{case.images_scored}/{case.images_received}")


def _model(case: Case) -> str:
    return plain(f"{case.model} {case.model_version}") if case.model else ""
