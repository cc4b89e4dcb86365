"""Batches as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from screening.domain.night_batch import ARCHIVE, FOLDER, BatchState, FetchState
from screening.domain.reason import Reason
from screening.records.batch_files import BatchFile, FileTally
from screening.records.night_batches import Batch
from screening.records.night_studies import BatchStudy
from screening.records.night_tally import BatchTally, is_complete
from worklist.plain_text import plain


def write_batches(found: Sequence[tuple[Batch, BatchTally]]) -> str:
    """Return a line for each batch."""
    if not found:
        return "There is no batch yet: nightread batch start\n"
    return "".join(
        f"{_head(batch)}{_outcome(batch, tally)}: {plain(asked_for(batch))}: {_sum(tally)}\n"
        for batch, tally in found
    )


_MOST_FILES = 50


def write_batch(
    batch: Batch,
    tally: BatchTally,
    exceptions: Sequence[BatchStudy],
    files: FileTally,
    left_out: Iterable[BatchFile],
) -> str:
    """Return what became of a batch, with a line for each study or file that is missing.

    Of files that were left out the first 50 are named; all are in the batch's JSON.
    """
    lines = [f"{_head(batch)}, begun {batch.begun_at.astimezone():%Y-%m-%d %H:%M}"]
    if batch.ended_at is not None:
        lines.append(f"ended    {batch.ended_at.astimezone():%Y-%m-%d %H:%M}")
    lines.append(f"asked    {plain(asked_for(batch))}")
    if batch.last_error and batch.state is BatchState.RUNNING:
        lines.append(
            f"waits    {plain(batch.last_error)}, until {batch.due_at.astimezone():%H:%M:%S}"
        )
    if files.looked_at:
        lines += _files(files, left_out)
    fetched = tally.studies.get(FetchState.FETCHED, 0)
    held = tally.studies.get(FetchState.HELD, 0)
    failed = tally.studies.get(FetchState.FAILED, 0)
    if batch.source == ARCHIVE:
        lines += [
            f"studies  {tally.planned}: {failed} not read by {_model(batch)}, "
            f"{tally.planned - tally.settled} to come",
            f"images   {tally.expected} were let wait for it",
        ]
    elif batch.source == FOLDER:
        lines += [
            f"studies  {tally.planned} of which files brought images",
            f"images   {tally.here} here",
        ]
    else:
        none = tally.planned - tally.wanted
        lines += [
            f"studies  {tally.planned}: {fetched} fetched, {held} here before, {failed} failed, "
            f"{tally.planned - tally.settled} to come"
            + (f", {none} without such images" if none else ""),
            f"images   {tally.expected} at the PACS: {tally.here} here, {tally.missing} missing",
        ]
        if tally.planned and not tally.wanted:
            lines.append("         none of these studies has what was asked for: is that so?")
    lines += [
        f"screened {tally.received} here: {tally.scored} scored, {tally.not_scored} not scored, "
        f"{tally.waiting} waiting",
    ]
    lines += [
        f"         {count} {Reason(reason).sentence}"
        for reason, count in sorted(tally.reasons.items())
    ]
    verdicts = [f"{count} {verdict.value}" for verdict, count in sorted(tally.verdicts.items())]
    lines.append(f"verdicts {', '.join(verdicts) or 'none'}")
    for study in exceptions:
        lines += _exception(study, batch)
    if batch.state is BatchState.FINISHED:
        lines.append(
            "complete"
            if is_complete(batch, tally)
            else "NOT complete: what is missing stands above"
        )
    return "\n".join(lines) + "\n"


def _files(files: FileTally, left_out: Iterable[BatchFile]) -> list[str]:
    twice = f", {files.repeated} of them an image that came before" if files.repeated else ""
    lines = [f"files    {files.looked_at} looked at: {files.came} brought an image in{twice}"]
    lines += [f"         {count} {plain(why)}" for why, count in sorted(files.left_out.items())]
    named = [
        f"    {plain(each.path)}: {plain(each.why or '')}" for each in islice(left_out, _MOST_FILES)
    ]
    rest = sum(files.left_out.values()) - len(named)
    return [*lines, *named, *([f"    and {rest} more: --json"] if rest > 0 else [])]


def _model(batch: Batch) -> str:
    return f"{batch.question['model']} {batch.question['model_version']}"


def _head(batch: Batch) -> str:
    of_night = f", {batch.schedule} of {batch.night}" if batch.schedule else ""
    return f"batch {batch.row} from {batch.source}{of_night}: {batch.state.value}"


def _outcome(batch: Batch, tally: BatchTally) -> str:
    if batch.state is not BatchState.FINISHED:
        return f" ({plain(batch.last_error)})" if batch.last_error else ""
    return ", complete" if is_complete(batch, tally) else ", NOT complete"


def asked_for(batch: Batch) -> str:
    """Return what a batch was begun for, in words."""
    asked = batch.question
    if "folder" in asked:
        return str(asked["folder"])
    words = []
    if batch.source == ARCHIVE:
        words.append(f"for {_model(batch)}")
    first, last = asked.get("first_day"), asked.get("last_day")
    if first or last:
        words.append(str(first) if first == last else f"{first or ''} to {last or ''}".strip())
    for name in ("modalities", "body_parts", "stations"):
        if asked.get(name):
            words.append(" ".join(asked[name]))
    numbers = asked.get("accession_numbers") or []
    if numbers:
        more = f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""
        words.append(f"accession numbers {', '.join(numbers[:3])}{more}")
    return ", ".join(words) or "everything"


def _sum(tally: BatchTally) -> str:
    return (
        f"{tally.settled} of {tally.planned} studies, {tally.here} of {tally.expected} images "
        f"here, {tally.scored} scored, {tally.not_scored} not, {tally.waiting} waiting"
    )


def _exception(study: BatchStudy, batch: Batch) -> list[str]:
    if batch.source == ARCHIVE:
        return [
            f"{plain(study.study_instance_uid)}: {plain(study.last_error or study.state.value)}"
        ]
    count = (study.expected or 0) - (study.here or 0)
    what = f"{count} of {study.expected} images missing" if study.expected else "not fetched"
    lines = [
        f"{plain(study.study_instance_uid)}: {what}, {plain(study.last_error or study.state.value)}"
    ]
    return lines + [f"    {plain(uid)}" for uid in study.missing]
