"""``nightread patient``: patients who became one, and studies that became another's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.records.identities import Change
    from screening.records.surviving import Identifier
    from screening.settings import Settings

patient = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Merge patients, adopt a corrected identity, and undo either.",
)

Why = Annotated[str, typer.Option(help="The reason; it stays on record.")]
Issuer = Annotated[str, typer.Option(help="IssuerOfPatientID of both, where images have one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@patient.command()
def merge(
    old: Annotated[str, typer.Argument(help="PatientID that is no more.")],
    new: Annotated[str, typer.Argument(help="PatientID that survives.")],
    why: Why,
    issuer: Issuer = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show both, and count the studies.")
    ] = False,
) -> None:
    """Make two patients one; images and their files stay as they came.

    As: nightread patient merge 4711 0815 --why "registered twice". It holds for studies that come
    later as well. Compare the two first: --dry-run shows their names.
    """
    from nightread.administration import console_actor, now
    from nightread.terminal import remark
    from screening.records.identities import checked_identifier
    from screening.records.identities import merge as merge_patients
    from screening.records.surviving import Identifier

    ids = (
        checked_identifier(Identifier(old, issuer or None)),
        checked_identifier(Identifier(new, issuer or None)),
    )
    with _opened() as records:
        if dry_run:
            _show_both(records, ids)
            with records.begin() as session:
                found = merge_patients(session, *ids, console_actor(), why, now())
                session.rollback()
        else:
            found = records.repeat(
                lambda session: merge_patients(session, *ids, console_actor(), why, now())
            )
    if not found.is_new:
        remark(f"the two are one already: change {found.number}")
    elif dry_run:
        remark(f"{_studies(found)} would be the other's; nothing was changed")
    else:
        remark(f"change {found.number}, {_studies(found)} the other's now; {_back(found)}")


@patient.command()
def adopt(
    study_instance_uid: Annotated[str, typer.Argument(help="A study: patient pending names them.")],
    why: Why,
) -> None:
    """Make a study the patient's for whom its images came again; no other study changes.

    As: nightread patient adopt 1.2.840... --why "wrong patient at the console". The pixels are
    compared first: they must be the same.
    """
    from nightread.administration import console_actor, now
    from nightread.terminal import remark
    from screening.records.adoption import adopt as adopt_study
    from screening.settings_source import load_settings

    settings = load_settings()
    with _opened() as records:
        _require_same_pixels(settings, records, study_instance_uid)
        found = records.repeat(
            lambda session: adopt_study(session, study_instance_uid, console_actor(), why, now())
        )
    remark(f"change {found.number}: the study is the other patient's; {_back(found)}")


@patient.command()
def undo(
    number: Annotated[int, typer.Argument(help="Of a change: patient list shows them.")],
    why: Why,
) -> None:
    """Let a change hold no more; each study is again whose its images say.

    As: nightread patient undo 3 --why "two people of one name".
    """
    from nightread.administration import console_actor, now
    from nightread.terminal import remark
    from screening.records.identities import undo as undo_change

    with _opened() as records:
        found = records.repeat(
            lambda session: undo_change(session, number, console_actor(), why, now())
        )
    remark(f"change {number} is undone, {_studies(found)} looked at")


@patient.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List all changes, the newest first, those that were undone as well."""
    from nightread.terminal import write, write_json
    from screening.records.identities import list_changes
    from worklist.objects import plain_object
    from worklist.plain_text import plain

    with _opened() as records, records.read() as session:
        found = list_changes(session)
    if as_json:
        hidden = ("is_new", "studies")
        write_json(
            [{k: v for k, v in plain_object(each).items() if k not in hidden} for each in found]
        )
        return
    for each in found:
        what = f", study {each.study_instance_uid} alone" if each.study_instance_uid else ""
        when = f"{each.made_at.astimezone():%Y-%m-%d %H:%M}"
        undone = f"; undone by {each.undone_by}" if each.undone_at else ""
        line = f"{each.old.patient_id} is {each.new.patient_id}{what}: {each.why}"
        write(f"{each.number}. {plain(line)} ({plain(each.made_by)}, {when}{plain(undone)})\n")
    if not found:
        write("No patient was merged, and no study adopted.\n")


@patient.command()
def pending(as_json: AsJson = False) -> None:
    """List studies that came again for another patient, and are not theirs yet."""
    from nightread.terminal import write, write_json
    from screening.records.adoption import changed_studies

    with _opened() as records, records.read() as session:
        found = changed_studies(session)
    if as_json:
        write_json(found)
    elif not found:
        write("No study came again for another patient.\n")
    for uid in [] if as_json else found:
        write(f"{uid}\n")


def _opened() -> AbstractContextManager[Records]:
    from nightread.database import opened
    from screening.settings_source import load_settings

    return opened(load_settings())


def _show_both(records: Records, ids: Sequence[Identifier]) -> None:
    """Show a person at a terminal by which names the two are on record: no line of a log."""
    from nightread.terminal import remark, write
    from screening.records.surviving import names_of
    from worklist.plain_text import person, plain

    with records.read() as session:
        named = [(each, names_of(session, each)) for each in ids]
    for what in ("sex", "birth_date"):
        said = [{getattr(each, what) for each in names} - {None} for _, names in named]
        if all(said) and not said[0] & said[1]:
            remark(f"the two differ by {what.replace('_', ' ')}: are they one person?")
    for known, names in named:
        for name in names:
            born = f"born {name.birth_date}" if name.birth_date else "no birth date"
            parts = person(name.patient_name or "") or "no name", born, plain(name.sex or "no sex")
            write(f"{plain(known.patient_id)}: {', '.join(parts)}\n")
        if not names:
            write(f"{plain(known.patient_id)}: not on record\n")


def _studies(change: Change) -> str:
    from screening.domain.counted import counted

    return counted(change.studies, "study", "studies")


def _back(change: Change) -> str:
    return f"nightread patient undo {change.number} --why ... takes it back"


def _require_same_pixels(settings: Settings, records: Records, uid: str) -> None:
    """Refuse a study of which other pixels came as well: that is no correction of its header.

    Raises
    ------
    IdentityError
        If they are others, or cannot be compared.
    """
    from screening.archive.opening import open_archive
    from screening.dicom.decoders import Decoders
    from screening.dicom.same_pixels import same_pixels
    from screening.errors import HeaderError, IdentityError, PixelError
    from screening.records.adoption import came_again
    from screening.records.removals import removals_of

    with records.read() as session:
        found = came_again(session, uid)
        digests = [digest for each in found for digest in (each.held_digest, each.digest)]
        gone = list(removals_of(session, digests).values())
    if gone:
        raise IdentityError(
            f"{gone[0]}: they cannot be compared any more. Have the PACS send the study again as "
            "it first came, if it can; where the two patients are one, nightread patient merge"
        )
    archive = open_archive(settings)
    decoders = Decoders(settings.read_seconds, int(settings.read_gigabytes * 1e9))
    try:
        for each in found:
            paths = archive.open_path(each.held_digest), archive.open_path(each.digest)
            if not decoders.run(same_pixels, *paths):
                raise IdentityError(
                    "images of the study came again with other pixels as well: what the PACS sent "
                    "is no correction of the patient alone. Send it under UIDs of its own"
                )
    except (PixelError, HeaderError) as error:
        raise IdentityError(f"the pixels cannot be compared: {error}") from None
    finally:
        decoders.close()
