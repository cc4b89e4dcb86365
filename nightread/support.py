"""``nightread support``: what somebody needs who helps from outside, without a patient in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nightread.own_words import OwnWords

_README = """\
Nightread, what support needs to know. Made by: nightread support --to FILE.zip

There is no patient in here, by how it is made: counts, words of closed lists, figures of the
machine, settings that are switches and numbers. Of every other text, as of an error, a line of a
log or a finding of the doctor, what is not a word of Nightread's own source or a number of at most
three digits is written as *. No name, identifier, UID, date of a study, accession number, path,
user, password or key is kept, and no image. Kept are AE titles, of callers whose images were taken
and of the settings; addresses to listen on; and the host and port of the database and of Redis.

Read it before it is sent: nightread support --list FILE.zip prints all of it. A section that could
not be made says why, under "not_told".

"""


@dataclass(frozen=True, slots=True)
class Section:
    """A file of the bundle: what it tells, and how that is found."""

    name: str
    about: str
    tell: Callable[[], object]


def support(
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE.zip", help="Where to; not overwritten.")
    ] = None,
    shown: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE.zip", help="Print what is inside one, to the end."),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option(help="A process's log, of which the last lines go in; may be repeated."),
    ] = None,
) -> None:
    """Put together what support needs, without a patient in it.

    Whatever is broken, the rest is told, and of the broken part why not. Nothing is sent anywhere.
    For instance: nightread support --to support.zip, then nightread support --list support.zip
    """
    if (to is None) == (shown is None):
        raise typer.BadParameter("say --to FILE.zip to write one, or --list FILE.zip to read it")
    if shown is not None:
        _print(shown)
        return
    assert to is not None
    _write(to, log or [])


def _write(to: Path, logs: list[Path]) -> None:
    import json
    import zipfile

    from nightread.check_packages import OUR_PACKAGES
    from nightread.own_words import OwnWords
    from nightread.support_machine import HOME
    from nightread.terminal import remark

    try:
        archive = zipfile.ZipFile(to, "x", zipfile.ZIP_DEFLATED)
    except FileExistsError:
        from screening.errors import ArchiveError

        raise ArchiveError(f"{to} is there already: name another file") from None
    failed = []
    with archive:
        about = [_README]
        words = OwnWords(HOME, OUR_PACKAGES)
        for section in _sections(logs, words):
            told = _told(section.tell, words)
            if isinstance(told, dict) and "not_told" in told:
                failed.append(section.name)
            archive.writestr(f"{section.name}.json", json.dumps(told, indent=1, default=str) + "\n")
            about.append(f"{section.name}.json: {section.about}\n")
        archive.writestr("README.txt", "".join(about))
    if failed:
        remark(f"could not be told, and say why: {', '.join(failed)}")
    remark(f"{to} is written: look at it with nightread support --list {to}, then send it")


def _print(path: Path) -> None:
    import zipfile

    from nightread.terminal import write
    from screening.errors import ArchiveError
    from worklist.plain_text import plain

    try:
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda each: each.filename != "README.txt"):
                write(f"== {plain(entry.filename)}, {entry.file_size} bytes\n")
                lines = archive.read(entry).decode(errors="replace").splitlines()
                write("".join(f"{' ' * _indent(line)}{plain(line)}\n" for line in lines))
    except (OSError, zipfile.BadZipFile) as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _sections(logs: list[Path], words: OwnWords) -> Iterator[Section]:
    """Yield the sections; what needs settings says so if they are wrong."""
    from nightread import support_machine, support_records, support_services
    from nightread.support_settings import told_settings
    from screening.settings_source import load_settings

    records, services = support_records, support_services

    def with_settings(tell: Callable[..., object], *others: Any) -> Callable[[], object]:  # noqa: ANN401
        return lambda: tell(load_settings(), *others)

    yield Section("made", "when", lambda: {"at": dt.datetime.now(dt.UTC).isoformat("T", "seconds")})
    yield Section("versions", "of ours and of the libraries", support_machine.told_versions)
    yield Section("packages", "digests of our code", support_machine.told_packages)
    yield Section("settings", "those that are set", with_settings(told_settings))
    yield Section("machine", "cores, memory, disks", with_settings(support_machine.told_machine))
    yield Section("records", "schema, counts of rows", with_settings(records.told_records))
    yield Section(
        "ledger", "what came, what became of it", with_settings(records.told_ledger, words)
    )
    yield Section(
        "associations", "callers, by how they ended", with_settings(records.told_associations)
    )
    yield Section("errors", "the newest, each kind once", with_settings(records.told_errors, words))
    yield Section("audit", "whether its chain is whole", with_settings(records.told_audit))
    yield Section("queue", "Redis, and what waits there", with_settings(services.told_queue))
    yield Section("metrics", "of each process", with_settings(services.told_metrics, words))
    yield Section("logs", "the last lines", lambda: services.told_logs(logs, words))
    yield Section("doctor", "what it finds", with_settings(services.told_doctor, words))


def _told(tell: Callable[[], object], words: OwnWords) -> object:
    """Return what a section tells, or why it does not: in the error's kind and our own words."""
    try:
        return tell()
    except Exception as error:
        return {"not_told": type(error).__name__, "said": words.only(str(error))}
