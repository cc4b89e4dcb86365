"""All that is known of a study, on one sheet for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from screening.domain.instance import InstanceState
from screening.records.conflicts import Conflict
from screening.records.dossier import Dossier, Image, Revision
from worklist.plain_text import person, plain
from worklist.signs import age_sign, disclaimer, score_sign, verdict_sign


def study_sheet(dossier: Dossier) -> RenderableType:
    """Return a study's header, images, conflicts and revisions."""
    return Group(*_parts(dossier))


def _parts(dossier: Dossier) -> Iterator[RenderableType]:
    yield _header(dossier)
    yield Text("\nImages", style="bold")
    yield _images(dossier.images)
    if dossier.conflicts:
        yield Text("\nConflicts: other bytes under a SOP Instance UID that we hold", style="bold")
        yield _conflicts(dossier.conflicts)
    yield Text("\nRevisions of the verdict", style="bold")
    yield _revisions(dossier.revisions) if dossier.revisions else Text("none yet", style="dim")
    yield Text("")
    yield disclaimer()


def _header(dossier: Dossier) -> Table:
    case = dossier.case
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    verdict = Text.assemble(verdict_sign(case.verdict), f"  {score_sign(case.score)}")
    age = age_sign(case.age_years)
    moment = [value.isoformat() for value in (case.study_date, case.study_time) if value]
    rows = {
        "Patient": person(case.patient_name or ""),
        "Patient ID": _identifier(dossier),
        "Age, sex": ", ".join(part for part in (age, case.patient_sex or "-") if part),
        "Accession": case.accession_number,
        "Body part": case.body_part,
        "Study": case.study_description,
        "Date": " ".join(moment),
        "UID": case.study_instance_uid,
    }
    table.add_row("Verdict", verdict)
    for name, value in rows.items():
        table.add_row(name, _text(value))
    counts = f"{case.images_scored} scored of {case.images_received} received"
    table.add_row("Images", f"{counts}, {case.images_waiting} waiting")
    for hold in dossier.holds:
        about = f"since {hold.placed_at:%Y-%m-%d}: {hold.why} ({hold.placed_by})"
        table.add_row("On hold", _text(about))
    table.add_row("Received", f"{case.received_at:%Y-%m-%d %H:%M:%S} UTC")
    return table


def _identifier(dossier: Dossier) -> str | None:
    changed = dossier.reidentified
    former = f", formerly {', '.join(changed.formerly)}" if changed else ""
    return f"{dossier.case.patient_id or ''}{former}"


def _images(images: tuple[Image, ...]) -> Table:
    table = _table("Series/Image", "View", "Size", "State", "Score", "Hottest", "Tries", "Why")
    for image in images:
        score = image.score
        table.add_row(
            f"{_number(image.series_number)}/{_number(image.instance_number)}",
            _text(" ".join(part for part in (image.laterality, image.view_position) if part)),
            f"{image.columns}x{image.rows}" if image.rows and image.columns else "-",
            verdict_sign(score.verdict) if score else _state(image.state),
            score_sign(score.probability if score else None),
            _point(score.hottest_x, score.hottest_y) if score else "-",
            str(image.attempts),
            _text(_why(image)),
        )
    return table


def _why(image: Image) -> str:
    removal = [str(image.removal)] if image.removal else []
    if image.exclusion:
        return "; ".join([str(image.exclusion), *removal])
    error = [f"last error: {image.last_error}"] if image.last_error else []
    return "; ".join([*image.doubts, *error, *removal])


def _state(state: InstanceState) -> Text:
    return Text(state.value.replace("_", " "), style="magenta" if state != "waiting" else "cyan")


def _point(x: float | None, y: float | None) -> str:
    return "-" if x is None or y is None else f"{x:.0%}, {y:.0%}"


def _conflicts(conflicts: tuple[Conflict, ...]) -> Table:
    table = _table("SOP Instance UID", "Held", "Also came", "What", "From", "When (UTC)")
    for conflict in conflicts:
        table.add_row(
            _text(conflict.sop_instance_uid),
            conflict.held_digest[:12],
            conflict.digest[:12],
            conflict.kind.value.replace("_", " "),
            _text(conflict.calling_ae_title),
            f"{conflict.received_at:%Y-%m-%d %H:%M:%S}",
        )
    return table


def _revisions(revisions: tuple[Revision, ...]) -> Table:
    table = _table("No.", "Verdict", "Score", "Rests on", "Model", "When (UTC)")
    for revision in revisions:
        table.add_row(
            str(revision.revision),
            verdict_sign(revision.verdict),
            score_sign(revision.score),
            f"{revision.images_scored} scored of {revision.images_received}",
            _text(f"{revision.model} {revision.model_version}"),
            f"{revision.decided_at:%Y-%m-%d %H:%M:%S}",
        )
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _text(value: str | None) -> Text:
    return Text(plain(value or "") or "-")


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
