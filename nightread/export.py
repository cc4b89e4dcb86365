"""``nightread export``: chosen cases without who they are, for teaching and training."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nightread.since import parse_since
from screening.errors import ExportError

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.records.teaching import Wanted
    from screening.settings import Settings
    from screening.teaching.export import Account, Export, Refusal, Specimen
    from screening.teaching.folder import ExportFolder

_COLUMN = "study_instance_uid"


@dataclass(slots=True)
class _Judged:
    """What may leave, study by study, and what may not."""

    studies: list[list[Specimen]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def specimens(self) -> list[Specimen]:
        return [each for study in self.studies for each in study]


def export(
    to: Annotated[Path, typer.Option(help="Folder; new, or that of an export to go on with.")],
    studies: Annotated[list[str] | None, typer.Argument(help="Study Instance UIDs.")] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--list", help=f"CSV with a column {_COLUMN}, or a UID in each line."),
    ] = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Suspected or doubtful.")] = False,
    reviewed: Annotated[bool, typer.Option("--reviewed", help="That somebody reviewed.")] = False,
    disagreed: Annotated[
        bool, typer.Option("--disagreed", help="Whose newest review disagrees.")
    ] = False,
    reviewed_since: Annotated[str, typer.Option(help="Reviewed since 24h, 7d, 2026-11-20.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Of what the filters find, the newest so many.")
    ] = None,
    keep_characteristics: Annotated[
        bool, typer.Option("--keep-characteristics", help="Keep sex, and age in years up to 90.")
    ] = False,
    shift_dates: Annotated[
        bool, typer.Option("--shift-dates", help="Keep study dates, moved for each patient.")
    ] = False,
    allow_burned_in: Annotated[
        bool, typer.Option("--allow-burned-in", help="Let out what may have text in its pixels.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Export cases as a set in which nobody is named.

    De-identified by PS3.15 Annex E, with the reviewers' labels.

    As: nightread export --reviewed --to teaching. Run again with the same choices it goes on where
    it was stopped. Pixels are not cleaned: look at them before you give them away.
    """
    from screening.records.teaching import Wanted
    from screening.settings_source import load_settings
    from screening.teaching.choices import Choices

    since = parse_since(reviewed_since) if reviewed_since else None
    wanted = Wanted(flagged, reviewed, disagreed, since, limit)
    named = [*(studies or []), *(_read_list(listed) if listed else [])]
    filtered = flagged or reviewed or disagreed or since is not None
    if bool(named) is filtered:
        raise typer.BadParameter(
            "name studies (or --list FILE), or choose with --flagged, --reviewed, --disagreed or "
            "--reviewed-since"
        )
    choices = Choices(keep_characteristics, shift_dates, allow_burned_in)
    _export(load_settings(), to, named, wanted, choices, dry_run=dry_run, as_json=as_json)


def _read_list(path: Path) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ExportError(f"{path} cannot be read as a CSV: {type(error).__name__}") from None
    place = lines[0].index(_COLUMN) if lines and _COLUMN in lines[0] else None
    if place is None:
        return [line[0].strip() for line in lines]
    return [line[place].strip() for line in lines[1:] if len(line) > place]


def _export(
    settings: Settings,
    to: Path,
    named: Sequence[str],
    wanted: Wanted,
    choices: Any,  # noqa: ANN401 - Choices, which is imported with what it needs
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    from nightread.database import opened
    from screening.archive.opening import open_archive
    from screening.dicom.decoders import Decoders
    from screening.teaching.export import Account, Export
    from screening.teaching.folder import ExportFolder
    from screening.teaching.pseudonyms import new_pseudonyms, open_pseudonyms

    with opened(settings) as records:
        has_key = not dry_run or settings.export_key.exists()
        pseudonyms = open_pseudonyms(settings.export_key) if has_key else new_pseudonyms()
        folder = ExportFolder(to, choices, pseudonyms.fingerprint)
        decoders = Decoders(settings.read_seconds, int(settings.read_gigabytes * 1e9))
        run = Export(open_archive(settings), decoders, folder, pseudonyms, choices)
        folder.check()
        judged = _judge(records, run, _chosen(records, named, wanted))
        _require_no_strangers(folder, judged, to)
        account = Account(refusals=judged.refusals)
        try:
            if not dry_run:
                _write(records, run, folder, judged, account, to)
        finally:
            decoders.close()
    _tell(judged, account, to, dry_run=dry_run, as_json=as_json)


def _chosen(records: Records, named: Sequence[str], wanted: Wanted) -> list[str]:
    from screening.records.teaching import choose_studies, unknown_studies

    with records.read() as session:
        if not named:
            return choose_studies(session, wanted)
        unknown = unknown_studies(session, named)
    if unknown:
        raise ExportError(
            f"{len(unknown)} of the studies were never received, the first {unknown[0]}: "
            "nightread cases --all --json names those that were"
        )
    return list(dict.fromkeys(named))


def _judge(records: Records, run: Export, uids: Sequence[str]) -> _Judged:
    from nightread.terminal import progress, remarks
    from screening.records.teaching import open_teachable
    from screening.teaching.export import Refusal

    judged = _Judged()
    with progress(remarks()) as bar:
        for uid in bar.track(uids, description="looking"):
            with records.read() as session:
                study = open_teachable(session, uid)
            found = list(run.judge(study)) if study is not None else []
            judged.refusals += [each for each in found if isinstance(each, Refusal)]
            judged.studies.append([each for each in found if not isinstance(each, Refusal)])
    return judged


def _require_no_strangers(folder: ExportFolder, judged: _Judged, to: Path) -> None:
    # What is refused by now may have been exported before.
    names = [each.name for each in judged.specimens] + [each.name for each in judged.refusals]
    strangers = folder.strangers(names)
    if strangers:
        raise ExportError(
            f"{to} holds {len(strangers)} images that are not among those chosen now, the first "
            f"{strangers[0]}: name a new folder, or choose them as well"
        )


def _write(
    records: Records,
    run: Export,
    folder: ExportFolder,
    judged: _Judged,
    account: Account,
    to: Path,
) -> None:
    from nightread.terminal import progress, remarks
    from nightread.version import installed_version

    with folder.opened(), progress(remarks()) as bar:
        task = bar.add_task("writing", total=len(judged.specimens))
        for specimens in judged.studies:
            missing = [
                each for each in specimens if not folder.holds(each.name, each.place.patient)
            ]
            if missing:
                _note(records, missing, to)
            run.write(specimens, account)
            bar.advance(task, len(specimens))
        folder.finish(account.rows, account.report(version=installed_version() or "unknown"))


def _note(records: Records, specimens: Sequence[Specimen], to: Path) -> None:
    """Record that a study leaves, before any of it does."""
    from nightread.administration import console_actor, now
    from screening.records import audit

    uid = specimens[0].study_instance_uid
    detail = f"{len(specimens)} images, de-identified, into {to}"
    with records.begin() as session:
        actor, event = console_actor(), audit.Event.DEIDENTIFIED
        audit.note(session, actor, event, now(), study_instance_uid=uid, detail=detail)


def _tell(judged: _Judged, account: Account, to: Path, *, dry_run: bool, as_json: bool) -> None:
    from collections import Counter

    from nightread.terminal import remark, write, write_json

    labels = Counter(each.label.word if each.label else "no label" for each in judged.specimens)
    images = len(judged.specimens) if dry_run else len(account.rows)
    if as_json:
        refused = [
            {
                "study_instance_uid": each.study_instance_uid,
                "sop_instance_uid": each.sop_instance_uid,
                "reason": each.reason,
            }
            for each in account.refusals
        ]
        counts = {"images": images, "written": account.written, "labels": dict(labels)}
        write_json({"dry_run": dry_run, "folder": str(to), **counts, "refused": refused})
        return
    said = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in labels.items())
    verb = "would leave" if dry_run else "are"
    write(f"{images} images {verb} in {to}{f': {said}' if said else ''}\n")
    for (reason, why), count in Counter(
        (each.reason, each.why) for each in account.refusals
    ).items():
        write(f"{count} refused, {reason}: {why}\n")
    if not dry_run:
        remark(f"look at the pixels before you give {to} away: text in them is not removed")
