"""The test for shortcuts as a report: Markdown, HTML, JSON and charts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from models.audit.markdown import markdown
from models.audit.page import page
from models.audit.section import Section, Table, count, plain
from models.json_bytes import json_bytes
from models.output_folder import update_folder
from models.shortcuts.explained import CueFigure
from models.shortcuts.findings import Findings
from models.shortcuts.movement import Movement
from models.shortcuts.pictures import CHANGES_PICTURE, CUES_PICTURE, pictures

_CUE_HEADER = ("cue", "AUC by itself", "fractured, 5 % to 95 %", "not fractured, 5 % to 95 %")
_CHANGE_HEADER = (
    "changed",
    "how",
    "|probability|",
    "|logit|",
    "drift of the logit",
    "clear flips",
    "suspected flips",
    "AUC",
    "change of AUC",
)


def account(findings: Findings, *, illustrated: bool = True) -> list[Section]:
    """Return the findings as sections of a report, with or without its pictures."""
    sections = [_opening(findings), _cues(findings)]
    if findings.movements:
        sections.append(_movements(findings))
    if illustrated:
        return sections
    return [dataclasses.replace(section, picture="", caption="") for section in sections]


def _opening(findings: Findings) -> Section:
    sentences = [
        f"{plain(findings.data)}, split {findings.split}: {count(findings.images, 'film')}, "
        f"{findings.fractured} fractured, from {count(findings.groups, 'source')}. Models of the "
        f"cues were fitted on the {count(findings.trained_on, 'film')} of train."
    ]
    if findings.model is not None:
        sentences.append(
            f"The classifier is {plain(findings.model.name)} {plain(findings.model.version)}, "
            f"weights {findings.model.digest[:12]}."
        )
    return Section("", tuple(sentences))


def _cues(findings: Findings) -> Section:
    return Section(
        "What the cues say by themselves",
        (
            "A small boosted model of each cue alone, and two models of all of them. 0.5 is "
            "nothing. Whatever a classifier reaches, that much of it could be this. Brackets: 95 % "
            "bootstrap intervals over sources.",
        ),
        Table(_CUE_HEADER, tuple(_cue_row(item) for item in findings.cues)),
        CUES_PICTURE,
        "What each cue explains by itself",
    )


def _cue_row(item: CueFigure) -> tuple[str, ...]:
    return (
        plain(item.cue),
        str(item.auc),
        _range(item.fractured_range),
        _range(item.other_range),
    )


def _range(values: tuple[float, float] | None) -> str:
    return "" if values is None else f"{values[0]:.4g} to {values[1]:.4g}"


def _movements(findings: Findings) -> Section:
    return Section(
        "How far the scores move",
        (
            f"{count(findings.films, 'film')}, as far as there are half of them fractured, scored "
            f"as they are (AUC {findings.auc}) and after one change at a time. Mean absolute "
            "changes; the drift has its sign. A verdict flips when the score crosses the "
            "high-sensitivity point (clear or not) or the high-specificity point (suspected or "
            "not).",
        ),
        Table(_CHANGE_HEADER, tuple(map(_change_row, findings.movements)), numbers_from=2),
        CHANGES_PICTURE,
        "How far the scores move when what should not matter is changed",
    )


def _change_row(item: Movement) -> tuple[str, ...]:
    return (
        item.cue,
        item.change,
        f"{item.probability:.3f}",
        f"{item.logit:.2f}",
        f"{item.drift:+.2f}",
        f"{item.cleared_flips:.0%}",
        f"{item.suspected_flips:.0%}",
        f"{item.auc.value:.3f}",
        f"{item.auc_change.value:+.3f} [{item.auc_change.low:+.3f}, {item.auc_change.high:+.3f}]",
    )


def write_report(findings: Findings, folder: Path) -> None:
    """Write ``shortcuts.md``, ``shortcuts.html``, ``shortcuts.json`` and the charts.

    Parameters
    ----------
    findings
        Of the test.
    folder
        Made where it does not exist; a former report in it is replaced.

    Raises
    ------
    TrainingError
        If it cannot be written.
    """
    title, sections, drawn = "Test for shortcuts", account(findings), pictures(findings)
    files = {
        "shortcuts.md": markdown(title, sections).encode(),
        "shortcuts.html": page(title, sections, drawn).encode(),
        "shortcuts.json": json_bytes(findings.as_dict()),
        **drawn,
    }
    update_folder(folder, files)
