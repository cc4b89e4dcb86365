"""``nightread verify``: that each image on record has its file, and each file its record."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from screening.records.archived import Archived


def verify(
    digests: Annotated[
        bool, typer.Option("--digests", help="Read every byte and compare its digest.")
    ] = False,
    missing_csv: Annotated[
        Path | None,
        typer.Option(
            "--missing-csv",
            metavar="FILE",
            help="Write the studies that the PACS must send again; not overwritten.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Compare the records with the archive, file by file.

    After a restore, or where a disk is not trusted. The exit code is 1 if a file is missing or
    empty, or with --digests damaged: have the PACS send these again, and they take their place. A
    file without a record came after the backup from which the records are; the listener adopts it
    when it starts. What a retention rule removed is not missing; where it is there again, as from a
    backup, it is listed, and adopted as well.
    For instance: nightread verify --digests --missing-csv again.csv
    """
    from nightread.database import opened
    from nightread.terminal import progress, remarks, write, write_json
    from screening.archive.inspection import trouble_with
    from screening.archive.opening import open_archive
    from screening.errors import ArchiveError
    from screening.records.archived import archived_files
    from screening.records.holdings import held_digests
    from screening.records.removals import removed_digests
    from screening.records.snapshot import count_instances
    from screening.settings_source import load_settings
    from worklist.plain_text import plain

    if missing_csv is not None and missing_csv.exists():
        raise ArchiveError(f"{missing_csv} is there already: name another file")
    settings = load_settings()
    archive = open_archive(settings)
    troubles: list[dict[str, str]] = []
    strangers: list[str] = []
    studies: Counter[tuple[str, str]] = Counter()
    again: list[str] = []
    files = 0
    with opened(settings) as records, progress(remarks()) as bar:
        task = bar.add_task("files", total=count_instances(records))
        with records.read() as session:
            for each in archived_files(session):
                files += 1
                syntax = each.transfer_syntax_uid
                wrong = trouble_with(archive, each.digest, syntax, whole=digests)
                if wrong is not None:
                    studies[_study(each)] += 1
                    troubles.append(
                        {
                            "sop_instance_uid": each.sop_instance_uid,
                            "file": each.digest,
                            "why": wrong,
                        }
                    )
                bar.advance(task)
        for kept in archive.kept_files(0):
            found = [file.digest for file in kept]
            with records.read() as session:
                known = held_digests(session, found)
                again += sorted(removed_digests(session, found))
            strangers += [digest for digest in found if digest not in known]
    if missing_csv is not None:
        _write_studies(missing_csv, studies)
    if as_json:
        write_json(
            {
                "files": files,
                "troubles": troubles,
                "without_record": strangers,
                "removed_and_there": again,
            }
        )
    else:
        lines = [
            f"{plain(each['sop_instance_uid'])}: {each['why']} ({each['file']})"
            for each in troubles
        ]
        lines += [f"without a record: {digest}" for digest in strangers]
        lines += [f"removed by a rule, and there: {digest}" for digest in again]
        lines.append(
            f"{files} files on record: {len(troubles)} missing or damaged; {len(strangers)} files "
            "without a record"
        )
        if again:
            lines.append(
                f"removed by a rule, and there: {len(again)}. A listener takes them back at its "
                "next start; delete them before, in instances/ of the archive, if they are to stay "
                "away"
            )
        write("\n".join(lines) + "\n")
    if troubles:
        raise typer.Exit(1)


def _study(file: Archived) -> tuple[str, str]:
    return file.accession_number or "", file.study_instance_uid


def _write_studies(path: Path, studies: Counter[tuple[str, str]]) -> None:
    """Write a line for each study; no spreadsheet acts on what a sender chose for a number."""
    import csv

    from nightread.terminal import remark
    from worklist.plain_text import no_formula

    with path.open("x", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("accession_number", "study_instance_uid", "images"))
        for (accession, study), images in studies.items():
            lines.writerow((no_formula(accession), no_formula(study), images))
    remark(f"{path}: {len(studies)} studies for the PACS to send again")
