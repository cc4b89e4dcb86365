"""``nightread wrap``: JPEG and PNG pictures become DX images."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

PICTURES = frozenset({".jpg", ".jpeg", ".png"})


class Side(StrEnum):
    """Laterality: left, right, both, or unknown."""

    LEFT = "L"
    RIGHT = "R"
    BOTH = "B"
    UNKNOWN = "U"


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a picture itself does not tell; ``None`` or empty where it is not known."""

    body_part: str | None = None
    patient_id: str | None = None
    accession: str = ""
    side: Side = Side.UNKNOWN


@dataclass(frozen=True, slots=True)
class Wrapped:
    """What became of one picture: the DICOM file, or why there is none."""

    source: Path
    target: Path | None
    why: str = ""


def wrap(
    sources: Annotated[list[Path], typer.Argument(help="JPEG or PNG files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for the DICOM files.")],
    body_part: Annotated[str, typer.Option(help="For instance HAND or FOREARM.")] = "",
    patient_id: Annotated[str, typer.Option(help="One for all of them.")] = "",
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    side: Annotated[Side, typer.Option(help="Laterality.")] = Side.UNKNOWN,
) -> None:
    """Wrap JPEG or PNG radiographs as DICOM (DX).

    Only the pixels go in: nothing of the file's name or its EXIF. The study's date is the day on
    which the file was last changed.
    """
    from nightread.terminal import progress, remark, remarks

    particulars = Particulars(body_part or None, patient_id or None, accession, side)
    pictures = list(find_pictures(sources))
    wrapped: list[Wrapped] = []
    with progress(remarks()) as bar:
        for item in bar.track(wrap_pictures(pictures, out, particulars), total=len(pictures)):
            wrapped.append(item)
    failed = [item for item in wrapped if item.target is None]
    for item in failed:
        remark(f"{item.source}: {item.why}")
    remark(f"{len(wrapped) - len(failed)} of {len(wrapped)} pictures wrapped into {out}")
    if failed or not wrapped:
        raise typer.Exit(1)


def find_pictures(sources: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each picture with its name below its folder; a file that is named is always one."""
    for source in sources:
        if not source.is_dir():
            yield source, Path(source.name)
            continue
        for file in sorted(source.rglob("*")):
            if file.suffix.lower() in PICTURES and file.is_file():
                yield file, file.relative_to(source)


def wrap_pictures(
    pictures: Iterable[tuple[Path, Path]], out: Path, particulars: Particulars
) -> Iterator[Wrapped]:
    """Wrap pictures one after the other; a bad one does not stop the others.

    Parameters
    ----------
    pictures
        Each with the name, relative to ``out``, that its DICOM file takes with ``.dcm`` added.
    out
        Folder for the DICOM files, made where missing.
    particulars
        Of all of them.
    """
    taken: set[Path] = set()
    for source, name in pictures:
        target = out / name.parent / f"{name.name}.dcm"
        if target in taken:
            yield Wrapped(
                source, None, "another picture of this name is there: wrap it into another --out"
            )
            continue
        taken.add(target)
        yield _wrap_one(source, target, particulars)


def _wrap_one(source: Path, target: Path, particulars: Particulars) -> Wrapped:
    from screening.dicom.wrap import wrap_file
    from screening.errors import NightreadError

    try:
        changed = dt.datetime.fromtimestamp(source.stat().st_mtime, dt.UTC)
        target.parent.mkdir(parents=True, exist_ok=True)
        ds = wrap_file(
            source,
            target,
            now=changed,
            patient_id=particulars.patient_id,
            accession_number=particulars.accession,
            body_part=particulars.body_part,
            laterality=particulars.side.value,
        )
    except OSError as error:
        return Wrapped(source, None, f"{error.strerror or error}")
    except NightreadError as error:
        return Wrapped(source, None, str(error))
    if "truncated" in ds.DerivationDescription:
        # What is missing is grey, and a grey film would be called clear.
        target.unlink()
        return Wrapped(source, None, "the file ends early and a part of the picture is missing")
    return Wrapped(source, target)
