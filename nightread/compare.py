"""``nightread compare``: every classifier on every set, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.comparison.comparison import Comparison


def compare(
    classifiers: Annotated[list[str], typer.Argument(help="Runs of train, or bundles.")],
    data: Annotated[list[str], typer.Option(help="A labelled set, as NAME=FOLDER; repeat it.")],
    out: Annotated[Path, typer.Option(help="Folder for the page.")] = Path("comparison"),
    results: Annotated[
        Path | None, typer.Option(help="Folder for what is measured [OUT/results].")
    ] = None,
    split: Annotated[str, typer.Option(help="To measure on.")] = "test",
    ensemble: Annotated[bool, typer.Option(help="Add ensembles.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Compare classifiers with one another and what is claimed.

    Writes one page in Markdown and HTML, with charts. What was measured is kept, and measured again
    only where the weights, the settings or the data are others. The sets multiregion_published,
    multiregion_clean and fracatlas are known by these names.
    """
    sets = _named(data)
    from models.audit.markdown import markdown
    from models.comparison.account import account
    from models.comparison.report import TITLE, write_report
    from nightread.terminal import remark, write, write_json

    found = _measure(classifiers, sets, results or out / "results", split, ensemble)
    write_report(found, out)
    if as_json:
        write_json(found.as_dict())
    else:
        write(markdown(TITLE, account(found)))
    remark(f"{out / 'comparison.html'} has it with charts")


def _named(data: list[str]) -> dict[str, Path]:
    named = {}
    for text in data:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder) or name in named:
            raise typer.BadParameter(
                f"{text!r} is no NAME=FOLDER with a name of its own", param_hint="--data"
            )
        named[name] = Path(folder)
    return named


def _measure(
    classifiers: list[str], data: dict[str, Path], results: Path, split: str, ensemble: bool
) -> Comparison:
    """Measure, with a progress bar on stderr."""
    from models.comparison.comparison import compare as measure
    from models.comparison.contender import find_contenders
    from models.comparison.labelled_split import open_split
    from nightread.terminal import progress, remark, remarks

    contenders = find_contenders(classifiers)
    sets = [open_split(name, folder, split) for name, folder in data.items()]
    with progress(remarks()) as bar:
        task = bar.add_task("measuring", total=None)

        def show(label: str, name: str, done: int, total: int) -> None:
            bar.update(task, description=f"{label} on {name}", completed=done, total=total)
            if done == total:
                remark(f"{label} was measured on {name}: {total} images")

        return measure(contenders, sets, results, ensembles=ensemble, on_image=show)
