"""Champion and shadow as text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from screening.domain.agreement import Share
from screening.domain.appointment import Judge, Standing
from screening.domain.side_by_side import ORDER, Side, SideBySide
from worklist.plain_text import plain
from worklist.side_by_side import Models
from worklist.signs import moment_sign

_SHOWN = 20


def standing_text(standing: Standing) -> str:
    """Return who holds the roles, a line each."""
    if standing.champion is None:
        return "Nothing is scored yet: the champion is the model of the settings.\n"
    lines = [f"champion  {_judge(standing.champion)}", f"shadow    {_judge(standing.shadow)}"]
    if not standing.number:
        lines.append("Nobody has appointed a model: each worker goes by its settings.")
    return "\n".join(lines) + "\n"


def _judge(judge: Judge | None) -> str:
    if judge is None:
        return "none"
    points = judge.points
    return (
        f"{plain(str(judge))}, SHA-256 {judge.identity.digest[:12]}..., doubtful from "
        f"{points.high_sensitivity:g}, suspected from {points.high_specificity:g}"
    )


def acts_text(acts: Sequence[Standing]) -> str:
    """Return the acts, the newest first, a line each."""
    return "".join(f"{_act(act)}\n" for act in acts)


def _act(act: Standing) -> str:
    assert act.act is not None, "each of these is one"
    assert act.at is not None, "it has a time"
    said = f"{act.number}  {moment_sign(act.at)}  {plain(act.by)}  {act.act.value}: "
    said += f"champion {act.champion or 'none'}, shadow {act.shadow or 'none'}"
    return plain(f"{said}: {act.why}" if act.why else said)


def comparison_text(models: Models) -> str:
    """Return what both make of the same images."""
    found = models.comparison
    if found is None or not found.images:
        missing = "There is no shadow." if found is None else "No image has a score of both yet."
        return standing_text(models.standing) + missing + "\n"
    lines = [
        standing_text(models.standing),
        f"{found.images} images of {found.studies} studies that both have scored: "
        f"{found.same_verdict} get the same verdict, {found.only_champion} are flagged by the "
        f"champion alone, {found.only_shadow} by the shadow alone.",
        "",
        *_table(found),
        "",
        *_side("champion", found.champion, found),
        *_side("shadow", found.shadow, found),
        f"Reviewers saw the champion's flags alone: of {found.reviewed_only_shadow.of} studies "
        f"that only the shadow flags, {found.reviewed_only_shadow.count} were reviewed. The PPVs "
        "say little of fractures that only one of them finds (verification bias).",
        "",
        *_discordant(found),
    ]
    return "\n".join(lines) + "\n"


def _table(found: SideBySide) -> list[str]:
    head = "champion \\ shadow" + "".join(f"{verdict.value:>12}" for verdict in ORDER)
    rows = zip(ORDER, found.table, strict=True)
    return [head, *(f"{own.value:17}" + "".join(f"{n:12}" for n in row) for own, row in rows)]


def _side(name: str, side: Side, found: SideBySide) -> list[str]:
    taken = f"{1000 * side.seconds:.0f} ms" if side.seconds is not None else "not taken"
    return [
        f"{name}: flags {side.flagged} of {found.images} images, {side.flagged_studies} studies; "
        f"median time {taken}",
        f"  PPV of flagged studies that were reviewed: {_share(side.precision)}",
        f"  of those that the other does not flag: {_share(side.flagged_alone)}",
    ]


def _share(share: Share) -> str:
    if share.value is None or share.interval is None:
        return "none reviewed"
    low, high = share.interval
    return f"{share.value:.0%} [{low:.0%}, {high:.0%}], {share.count} of {share.of}"


def _discordant(found: SideBySide) -> list[str]:
    if not found.discordant:
        return []
    shown = found.discordant[:_SHOWN]
    alone = found.only_champion + found.only_shadow
    return [
        f"Flagged by one alone, the furthest apart ({len(shown)} of {alone}):",
        *(
            f"  champion {pair.champion:.3f}, shadow {pair.shadow:.3f}  "
            f"nightread study {plain(pair.study_instance_uid)}"
            for pair in shown
        ),
    ]
