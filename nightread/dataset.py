"""``nightread dataset``: audits a labelled set before anything is learnt from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.audit.findings import Findings
    from models.audit.source import Source


def dataset(
    paths: Annotated[
        list[Path], typer.Argument(help="Folders of class folders, or CSVs (path, label).")
    ],
    out: Annotated[Path, typer.Option(help="New folder for the report.")] = Path("dataset-report"),
    root: Annotated[
        Path | None, typer.Option(help="Where a CSV's paths start [its own folder].")
    ] = None,
    split_column: Annotated[str, typer.Option(help="A CSV's split [split].")] = "",
    seed: Annotated[int, typer.Option(help="Of the proposed split.")] = 0,
    similarity: Annotated[
        float, typer.Option(min=0.5, max=1.0, help="From which two images are copies.")
    ] = 0.90,
    exact: Annotated[bool, typer.Option("--exact", help="Look for exact copies alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the counts to stdout.")] = False,
) -> None:
    """Find copies, leaks, conflicts and faults in a labelled set.

    Reads JPEG, PNG and DICOM, and changes nothing. Writes a report (Markdown, HTML, JSON, pictures)
    and proposes a split that does not leak, as a table that train reads. The exit code is 0
    whatever was found.
    """
    from models.audit.account import headlines
    from models.audit.figures import figures
    from models.audit.report import require_free, write_report
    from models.audit.source import read_source
    from models.audit.table import Columns
    from nightread.terminal import remark, write, write_json

    source = read_source(paths, root=root, columns=Columns(split=split_column))
    require_free(out, source)
    findings = _examine(source, near=not exact, similar=similarity, seed=seed)
    write_report(findings, out)
    if as_json:
        write_json(figures(findings))
    else:
        write("".join(f"{line}\n" for line in headlines(findings)))
    remark(f"{out / 'report.html'} has the rest, {out / 'index.csv'} a split that does not leak")


def _examine(source: Source, *, near: bool, similar: float, seed: int) -> Findings:
    """Audit a set with a progress bar on stderr."""
    from models.audit.findings import examine
    from nightread.terminal import progress, remarks

    with progress(remarks()) as bar:
        reading = bar.add_task("reading", total=len(source.entries))
        comparing = bar.add_task("comparing", total=None, visible=near)
        return examine(
            source,
            near=near,
            similar=similar,
            seed=seed,
            on_read=lambda done, total: bar.update(reading, completed=done, total=total),
            on_compare=lambda done, total: bar.update(comparing, completed=done, total=total),
        )
