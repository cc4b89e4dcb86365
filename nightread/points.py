"""``nightread points``: from which score on a study is flagged here."""

from __future__ import annotations

from typing import Annotated

import typer

points = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show and set the scores from which a study is flagged.",
)


@points.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False) -> None:
    """Show the points of the model at work, the newest first."""
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.records.operating_points import read_points
    from screening.settings_source import load_settings
    from worklist.objects import points_object
    from worklist.plain_text import plain

    with opened(load_settings()) as records, records.read() as session:
        found = read_points(session)
    if as_json:
        write_json(points_object(found) if found else None)
    elif found is None:
        write("Nothing is scored yet: the points are the model's own.\n")
    else:
        write(f"{found.model.name} {found.model.version}\n")
        for each in found.revisions:
            when = f" on {each.set_at.astimezone():%Y-%m-%d %H:%M}" if each.set_at else ""
            why = f": {plain(each.note)}" if each.note else ""
            write(f"{each}; {each.set_by}{when}{why}\n")


@points.command("set")
def set_new(
    doubtful: Annotated[float, typer.Option(min=0, max=1, help="Doubtful from this score on.")],
    suspected: Annotated[float, typer.Option(min=0, max=1, help="Suspected from this score on.")],
    note: Annotated[str, typer.Option(help="Why; it stays on record.")],
) -> None:
    """Put other points into force; what was scored before keeps its verdict."""
    from nightread.administration import administering, now
    from nightread.terminal import remark
    from screening.domain.verdict import OperatingPoints
    from screening.records import audit
    from screening.records.operating_points import set_points

    if suspected < doubtful:
        raise typer.BadParameter("--suspected must be at least --doubtful")
    chosen = OperatingPoints(doubtful, suspected)
    with administering() as (session, actor):
        made = set_points(session, chosen, note=note, set_by=actor.name, now=now())
        audit.note(session, actor, audit.Event.POINTS_SET, now(), detail=str(made))
    remark(f"{made}; it holds from each worker's next batch on")
