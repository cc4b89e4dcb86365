"""``nightread batch``: studies that are fetched from a PACS and screened, all of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nightread.batch_progress import shown, watch
from nightread.rescreen import rescreen
from screening.domain.night_batch import BatchState

if TYPE_CHECKING:
    from screening.records.engine import Records
    from screening.records.night_batches import Batch
    from screening.settings import Settings

batch = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Fetch studies from a PACS and screen them, all of them.",
)

_Number = Annotated[int, typer.Argument(help="Of the batch, as nightread batch list has it.")]
_AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@batch.command()
def start(
    source: Annotated[str, typer.Option(help="Which PACS, by its name in the file.")] = "",
    first_day: Annotated[
        dt.datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Study dates from.")
    ] = None,
    last_day: Annotated[
        dt.datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="[the same day]")
    ] = None,
    modality: Annotated[list[str] | None, typer.Option(help="May be repeated [CR, DX].")] = None,
    body_part: Annotated[
        list[str] | None, typer.Option(help="Body Part Examined; may be repeated [all].")
    ] = None,
    station: Annotated[
        list[str] | None, typer.Option(help="Station Name; may be repeated [all].")
    ] = None,
    accession: Annotated[
        list[str] | None, typer.Option(help="Accession number; may be repeated.")
    ] = None,
    accessions: Annotated[
        Path | None, typer.Option(help="File of accession numbers, the first of each line (CSV).")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show its progress until it ends.")] = False,
) -> None:
    """Begin a batch: ask a PACS which studies it has, fetch what is not here, and screen it.

    nightread night, which nightread up starts, does the work; this command may end. With --wait
    it shows what became of it, and the exit code is 1 unless that is complete.
    """
    from pydantic import ValidationError

    from nightread.administration import now
    from nightread.database import opened
    from nightread.sources import configured_sources
    from nightread.terminal import remark, write
    from pacs.question import RADIOGRAPHS, Question
    from screening.errors import BatchError
    from screening.records.night_batches import begin_batch, find_batch
    from screening.records.night_tally import is_complete, tally_batch
    from screening.settings_source import load_settings

    settings = load_settings()
    known = configured_sources(settings)
    chosen = source or (known.source[0].name if len(known.source) == 1 else "")
    if known.find(chosen) is None:
        names = ", ".join(each.name for each in known.source)
        if not known.source:
            raise BatchError(f"{settings.sources_file} names no source (docs/night.md)")
        which = f"no source {chosen}" if chosen else "more than one source"
        raise BatchError(f"there is {which}: say --source, one of {names}")
    try:
        question = Question(
            first_day=first_day.date() if first_day else None,
            last_day=(last_day or first_day).date() if first_day or last_day else None,  # type: ignore[union-attr]
            modalities=tuple(modality or RADIOGRAPHS),
            body_parts=tuple(body_part or ()),
            stations=tuple(station or ()),
            accession_numbers=(*(accession or ()), *_read_accessions(accessions)),
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(part) for part in wrong["loc"])
        said = wrong["msg"].removeprefix("Value error, ")
        raise BatchError(f"{place}: {said}".lstrip(": ")) from None
    with opened(settings) as records:
        with records.begin() as session:
            made = begin_batch(session, chosen, question.model_dump(mode="json"), now())
        assert made is not None, "no schedule has begun it"
        remark(f"batch {made.row} has begun: nightread batch show {made.row}")
        if wait:
            watch(records, made.row)
            write(shown(records, made.row))
            with records.read() as session:
                found = find_batch(session, made.row)
                is_done = found is not None and is_complete(found, tally_batch(session, made.row))
            if not is_done:
                raise typer.Exit(1)


@batch.command()
def folder(
    path: Annotated[Path, typer.Argument(help="A folder, or a DICOMDIR.")],
) -> None:
    """Screen a folder: every file below it is looked at, and none stops the others.

    The exit code is 1 if an image could not be brought in. Run again it goes on where it stopped;
    once it is finished, running it again is a new batch, in which nothing comes twice. Needs a
    running listener and worker: nightread up.
    """
    from night.folder import file_name
    from nightread.administration import now
    from nightread.database import opened
    from nightread.terminal import remark, write
    from screening.domain.night_batch import FOLDER
    from screening.errors import BatchError
    from screening.records.batch_files import count_files
    from screening.records.night_batches import begin_or_go_on
    from screening.settings_source import load_settings

    chosen = path.resolve()
    name = file_name(chosen)
    if not chosen.exists():
        raise BatchError(f"{chosen} does not exist")
    settings = load_settings()
    with opened(settings) as records:
        with records.begin() as session:
            found, goes_on = begin_or_go_on(session, FOLDER, {"folder": name}, now())
        remark(f"batch {found.row} {'goes on' if goes_on else 'has begun'}")
        _bring_in(records, settings, found, chosen)
        write(shown(records, found.row))
        with records.read() as session:
            files = count_files(session, found.row)
    if not files.looked_at:
        raise BatchError(f"{chosen} holds no file")
    if files.lost or not files.came:
        raise typer.Exit(1)


batch.command()(rescreen)


@batch.command("list")
def list_all(
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 20,
    as_json: _AsJson = False,
) -> None:
    """List batches, the newest first."""
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.records.night_batches import list_batches
    from screening.records.night_tally import tally_batch
    from screening.settings_source import load_settings
    from worklist.batch_table import write_batches
    from worklist.objects import batch_object

    with opened(load_settings()) as records, records.read() as session:
        found = [
            (each, tally_batch(session, each.row))
            for each in list_batches(session, limit=limit or None)
        ]
    if as_json:
        write_json([batch_object(each, tally) for each, tally in found])
    else:
        write(write_batches(found))


@batch.command()
def show(
    number: _Number,
    wait: Annotated[bool, typer.Option("--wait", help="Show its progress until it ends.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Show what became of a batch, and everything that is missing.

    The exit code is 1 if it is not complete.
    """
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.errors import BatchError
    from screening.records.batch_files import files_left_out
    from screening.records.night_batches import find_batch
    from screening.records.night_studies import exceptions_of
    from screening.records.night_tally import is_complete, tally_batch
    from screening.settings_source import load_settings
    from worklist.objects import batch_object

    with opened(load_settings()) as records:
        if wait:
            watch(records, number)
        with records.read() as session:
            found = find_batch(session, number)
            if found is None:
                raise BatchError(f"there is no batch {number}: nightread batch list")
            tally = tally_batch(session, number)
            exceptions = exceptions_of(session, number)
            files = list(files_left_out(session, number)) if as_json else []
        if not as_json:
            write(shown(records, number))
    if as_json:
        write_json(batch_object(found, tally, exceptions, files))
    if not is_complete(found, tally):
        raise typer.Exit(1)


@batch.command()
def pause(number: _Number) -> None:
    """Fetch nothing more of a batch until it is resumed."""
    _change(number, BatchState.PAUSED)


@batch.command()
def resume(number: _Number) -> None:
    """Go on with a batch that was paused."""
    _change(number, BatchState.RUNNING)


@batch.command()
def cancel(number: _Number) -> None:
    """End a batch for good; what has come stays, and is screened."""
    _change(number, BatchState.CANCELLED)


def _change(number: int, state: BatchState) -> None:
    from nightread.administration import administering, now
    from nightread.terminal import remark
    from screening.records.night_batches import change_state

    with administering() as (session, _):
        changed = change_state(session, number, state, now())
    remark(f"batch {number} is {changed.state.value}")


def _read_accessions(file: Path | None) -> list[str]:
    import csv

    from screening.errors import BatchError

    if file is None:
        return []
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            # Where a comma is for decimals, spreadsheets write semicolons.
            rows = csv.reader(line.replace(";", ",") for line in lines)
            found = [row[0].strip() for row in rows if row and row[0].strip()]
    except OSError as error:
        raise BatchError(f"{file} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BatchError(f"{file} is no CSV in UTF-8: {error}") from None
    if found and found[0].lower().replace("_", " ").startswith("accession"):
        del found[0]  # the head of the column
    if not found:
        raise BatchError(f"{file} names no accession number")
    return found


def _bring_in(records: Records, settings: Settings, batch: Batch, path: Path) -> None:
    import time

    from night.folder import FolderImport
    from nightread.own_address import own_address
    from nightread.terminal import progress, remarks
    from pacs.peer import Peer
    from screening.archive.opening import open_archive
    from screening.errors import SettingsError
    from screening.records.night_tally import studies_waiting

    if not settings.dicom_port:
        raise SettingsError("NIGHTREAD_DICOM_PORT=0: files come in by it, without TLS")
    where = own_address(settings.dicom_host), settings.dicom_port
    title = next(iter(settings.storing_ae_titles or settings.calling_ae_titles), "NIGHTREAD_SCU")
    door = Peer(*where, settings.ae_title, title)
    archive = open_archive(settings)
    bringing = FolderImport(records, archive, door)
    with progress(remarks()) as bar:
        task = bar.add_task("looking at files", total=None)
        for count in bringing.run(batch, path):
            bar.advance(task, count)
        total = None
        while True:
            with records.read() as session:
                waiting = studies_waiting(session, batch.row)
            total = total or waiting
            bar.update(task, description="studies screened", total=total, completed=total - waiting)
            if not waiting:
                break
            time.sleep(0.5)
    bringing.end(batch)
