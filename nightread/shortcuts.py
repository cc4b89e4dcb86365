"""``nightread shortcuts``: what a classifier may have learnt instead of fractures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.shortcuts.findings import Findings


def shortcuts(
    data: Annotated[Path, typer.Option(help="Folder of a labelled set with its index.csv.")],
    bundle: Annotated[
        str, typer.Option(help="Classifier to watch, by name or folder [the set alone].")
    ] = "",
    split: Annotated[str, typer.Option(help="To measure on.")] = "val",
    images: Annotated[int, typer.Option(min=2, help="How many to change.")] = 100,
    column: Annotated[
        list[str] | None, typer.Option(help="A column that is a cue too [hardware].")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for a report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Test a set, and a classifier, for shortcuts.

    Says how well fractures can be told from the shape, size, compression and exposure of the
    films alone, and how far the scores move when only those are changed.
    """
    from models.audit.markdown import markdown
    from models.shortcuts.report import account, write_report
    from nightread.terminal import remark, write, write_json

    findings = _examine(data, bundle, split, images, column)
    if out is not None:
        write_report(findings, out)
        remark(f"{out / 'shortcuts.html'} has it with charts")
    if as_json:
        write_json(findings.as_dict())
    else:
        write(markdown("Test for shortcuts", account(findings, illustrated=False)))


def _examine(
    data: Path, bundle: str, split: str, images: int, columns: list[str] | None
) -> Findings:
    """Run the test with progress bars on stderr."""
    from models.classifier import load_classifier
    from models.shortcuts.findings import examine
    from nightread.terminal import progress, remarks

    classifier = load_classifier(bundle) if bundle else None
    with progress(remarks()) as bar:
        reading = bar.add_task("reading", total=None)
        scoring = bar.add_task("scoring", total=None, visible=classifier is not None)
        return examine(
            data,
            classifier,
            split=split,
            films=images,
            columns=columns,
            on_image=lambda done, total: bar.update(reading, completed=done, total=total),
            on_score=lambda done, total: bar.update(scoring, completed=done, total=total),
        )
