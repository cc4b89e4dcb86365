"""``nightread retention``: what the rules would remove, and, if asked for, its removal."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from night.retention_outlook import Outlook
    from night.retention_run import Gone
    from screening.domain.retention import Policy
    from screening.records.engine import Records
    from screening.records.retention import Judged
    from screening.settings import Settings


def retention(
    apply: Annotated[
        bool, typer.Option("--apply", help="Remove it; by default nothing is changed.")
    ] = False,
    studies: Annotated[
        bool, typer.Option("--studies", help="Write CSV with a line for each study instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show whose pixels may go; with --apply, remove them.

    The rules stand in NIGHTREAD_RETENTION_FILE (docs/keeping.md). Patients, scores, verdicts and
    reviews stay on record. Stopped or killed, it goes on when it is run again.

    nightread retention --studies > due.csv
    """
    if apply and studies:
        raise typer.BadParameter("--studies is for a look: leave --apply out")
    from night.retention_rules import read_retention
    from nightread.database import opened
    from nightread.destination_names import destination_names
    from nightread.terminal import write, write_json
    from screening.settings_source import load_settings

    settings = load_settings()
    _, policy = read_retention(settings.retention_file)
    places = destination_names(settings)
    with opened(settings) as records:
        if studies:
            _write_studies(records, policy, places)
        elif apply:
            gone = _remove(settings, records, policy, places)
            write_json(_gone_object(gone, policy)) if as_json else write(_gone_text(gone, policy))
            if gone.not_removed:
                raise typer.Exit(1)
        else:
            outlook = _look(records, policy, places)
            if as_json:
                write_json(_outlook_object(outlook, policy))
            else:
                write(_outlook_text(outlook, policy))


_NO_RULES = "no rules: everything is kept (NIGHTREAD_RETENTION_FILE, docs/keeping.md)"


def _look(records: Records, policy: Policy, places: Collection[str] | None) -> Outlook:
    from night.retention_outlook import look_ahead
    from nightread.administration import now
    from nightread.terminal import progress, remarks

    with progress(remarks()) as bar:
        task = bar.add_task("studies", total=None)
        return look_ahead(records, policy, places, now(), lambda study: bar.advance(task))


def _remove(
    settings: Settings, records: Records, policy: Policy, places: Collection[str] | None
) -> Gone:
    """Remove what is due, until it is done or somebody presses Ctrl-C."""
    import signal
    import threading

    from night.retention_run import RetentionRun
    from nightread.administration import console_actor
    from nightread.terminal import progress, remark, remarks
    from screening.archive.opening import open_archive

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    archive = open_archive(settings)
    total = sum(each.studies for each in _look(records, policy, places).due.values())
    with progress(remarks()) as bar:
        task = bar.add_task("studies", total=total)

        def seen(study: Judged) -> None:
            if study.is_due:
                bar.advance(task)

        run = RetentionRun(
            records, archive, policy, places, console_actor(), stopped, progress=seen
        )
        gone = run.run()
    if not gone.is_whole:
        remark("stopped: run it again, it goes on there")
    return gone


def _write_studies(records: Records, policy: Policy, places: Collection[str] | None) -> None:
    import csv
    import io

    from night.retention_outlook import each_over
    from nightread.administration import now
    from nightread.terminal import write

    names = ("study_instance_uid", "rule", "since", "files", "bytes", "held_back_by")
    lines = [names]
    for study in each_over(records, policy, places, now()):
        assert study.rule is not None, "without a rule its time is never over"
        held = " ".join(each.value for each in study.hindrances)
        since = study.since.isoformat()
        counts = str(len(study.files)), str(study.size_bytes)
        lines.append((study.study_instance_uid, study.rule.name, since, *counts, held))
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(lines)
    write(written.getvalue())


def _outlook_text(outlook: Outlook, policy: Policy) -> str:
    lines = []
    for rule in policy.rules:
        count = outlook.due[rule.name]
        lines.append(f"{rule!s}: {_counted(count)} may go")
    for why, count in sorted(outlook.held_back.items()):
        lines.append(f"held back, {_counted(count)}: {why.sentence}")
    if not policy.rules:
        lines.append(_NO_RULES)
    files = sum(each.files for each in outlook.due.values())
    size = sum(each.size_bytes for each in outlook.due.values())
    lines.append(
        f"of {outlook.kept_files} files ({_size(outlook.kept_bytes)}) {files} ({_size(size)}) may "
        "go; nothing was changed" + (": nightread retention --apply removes them" if files else "")
    )
    return "\n".join(lines) + "\n"


def _gone_text(gone: Gone, policy: Policy) -> str:
    if not policy.rules and not gone.files:
        return f"{_NO_RULES}\n"
    lines = [f"removed: {gone}" if gone.files else str(gone)]
    lines += [f"{digest}: {why}" for digest, why in sorted(gone.not_removed.items())]
    return "\n".join(lines) + "\n"


def _counted(count: Any) -> str:  # noqa: ANN401 - night is loaded by the command alone
    from screening.domain.counted import counted

    studies = counted(count.studies, "study", "studies")
    return f"{studies}, {counted(count.files, 'file')}, {_size(count.size_bytes)}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.3f} GB"


def _outlook_object(outlook: Outlook, policy: Policy) -> dict[str, Any]:
    from dataclasses import asdict

    rules = [
        {"name": rule.name, "keep_days": rule.keep_days, **asdict(outlook.due[rule.name])}
        for rule in policy.rules
    ]
    held = {why.value: asdict(count) for why, count in outlook.held_back.items()}
    return {
        "read_at": outlook.read_at.isoformat(),
        "rules_digest": policy.digest,
        "due": rules,
        "held_back": held,
        "kept_files": outlook.kept_files,
        "kept_bytes": outlook.kept_bytes,
    }


def _gone_object(gone: Gone, policy: Policy) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "rules_digest": policy.digest,
        "removed": {rule: asdict(count) for rule, count in sorted(gone.by_rule.items())},
        "kept_after_all": gone.kept_after_all,
        "not_removed": gone.not_removed,
        "complete": gone.is_whole,
    }
