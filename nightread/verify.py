"""``nightread verify``: that each image on record has its file, and each file its record."""

from __future__ import annotations

from typing import Annotated

import typer


def verify(
    digests: Annotated[
        bool, typer.Option("--digests", help="Read every byte and compare its digest.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Compare the records with the archive, file by file.

    After a restore, or where a disk is not trusted. The exit code is 1 if a file is missing or
    damaged. A file without a record came after the backup from which the records are; the listener
    adopts it when it starts. What a retention rule removed is not missing; where it is there again,
    from a backup, it is listed.
    """
    from nightread.database import opened
    from nightread.terminal import progress, remarks, write, write_json
    from screening.archive.archive import Archive
    from screening.archive.inspection import trouble_with
    from screening.records.archived import archived_files
    from screening.records.holdings import held_digests
    from screening.records.removals import removals_of
    from screening.records.snapshot import count_instances
    from screening.settings_source import load_settings
    from worklist.plain_text import plain

    settings = load_settings()
    archive = Archive(settings.archive_dir)
    troubles: list[dict[str, str]] = []
    strangers: list[str] = []
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
                    troubles.append(
                        {
                            "sop_instance_uid": each.sop_instance_uid,
                            "file": each.digest,
                            "why": wrong,
                        }
                    )
                bar.advance(task)
        for paths in archive.kept_files(0):
            with records.read() as session:
                known = held_digests(session, [path.stem for path in paths])
                again += sorted(removals_of(session, [path.stem for path in paths]))
            strangers += [path.stem for path in paths if path.stem not in known]
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
        write("\n".join(lines) + "\n")
    if troubles:
        raise typer.Exit(1)
