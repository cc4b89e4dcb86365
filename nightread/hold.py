"""``nightread hold``: studies whose pixels stay whatever the rules say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from screening.records.holds import Hold


def hold(
    study: Annotated[str, typer.Argument(help="Study Instance UID; without one, list.")] = "",
    why: Annotated[str, typer.Option(help="Why it must stay; it stays on record.")] = "",
    release: Annotated[
        int | None, typer.Option(min=1, help="Release the hold of this number.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="List released ones too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Keep a study's pixels, or list such studies.

    Until it is released no retention rule concerns it.

    nightread hold 1.2.840.1 --why "court, file 17/2026"; nightread hold --release 1
    """
    if bool(study) != bool(why.strip()) or (study and release):
        raise typer.BadParameter("name a study and --why, or --release a hold, or neither")
    if study:
        _place(study, why.strip())
    elif release:
        _release(release)
    else:
        _list(everything, as_json)


def _place(study: str, why: str) -> None:
    from nightread.administration import administering, now
    from nightread.terminal import remark
    from screening.records import audit
    from screening.records.holds import place_hold
    from screening.records.removals import is_any_gone

    with administering() as (session, actor):
        made = place_hold(session, study, why, actor.name, now())
        audit.note(
            session,
            actor,
            audit.Event.HELD,
            now(),
            study_instance_uid=study,
            detail=f"hold {made.number}: {why}",
        )
        is_late = is_any_gone(session, study)
    remark(f"hold {made.number}: the pixels of {study} stay until it is released")
    if is_late:
        remark(
            "some were removed before: nightread study says which; have the PACS send them again"
        )


def _release(number: int) -> None:
    from nightread.administration import administering, now
    from nightread.terminal import remark
    from screening.records import audit
    from screening.records.holds import list_holds, release_hold

    with administering() as (session, actor):
        released = release_hold(session, number, actor.name, now())
        study = released.study_instance_uid
        others = [each.number for each in list_holds(session) if each.study_instance_uid == study]
        audit.note(
            session,
            actor,
            audit.Event.RELEASED,
            now(),
            study_instance_uid=study,
            detail=f"hold {number}",
        )
    then = f"hold {others[0]} stands" if others else "the rules apply again"
    remark(f"hold {number} on {study} is released: {then}")


def _list(everything: bool, as_json: bool) -> None:
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.records.holds import list_holds
    from screening.settings_source import load_settings
    from worklist.objects import plain_object

    with opened(load_settings()) as records, records.read() as session:
        found = list_holds(session, everything=everything)
    if as_json:
        write_json([plain_object(each) for each in found])
    else:
        write("".join(map(_line, found)) or "no study is on hold\n")


def _line(each: Hold) -> str:
    from worklist.plain_text import plain

    released = ""
    if each.released_at is not None:
        when = f"{each.released_at.astimezone():%Y-%m-%d %H:%M}"
        released = f"; released on {when} by {plain(each.released_by or '')}"
    placed = f"{each.placed_at.astimezone():%Y-%m-%d %H:%M} by {plain(each.placed_by)}"
    uid = plain(each.study_instance_uid)
    return f"{each.number}  {uid}  since {placed}: {plain(each.why)}{released}\n"
