"""Which files can be sent: DICOM Part 10 files, as their file meta information describes them."""

from __future__ import annotations

import stat
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import MediaStorageDirectoryStorage

# PS3.5 9.1: a UID has at most 64 characters.
_UID_LENGTH = 64
_REQUIRED = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")


@dataclass(frozen=True, slots=True)
class Part10File:
    """A file that can be sent, by its file meta information, PS3.10 7.1."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not sent, and why.

    Attributes
    ----------
    is_index
        Whether it is a DICOMDIR, which belongs to its folder and is never sent.
    is_damaged
        Whether it is DICOM, and its file meta information cannot be used.
    """

    path: Path
    why: str
    is_index: bool = False
    is_damaged: bool = False


def survey(paths: Iterable[Path]) -> Iterator[Part10File | LeftOut]:
    """Look at files and, in their order by name, at every file below folders.

    Only the file meta information is read. A path that does not exist is left out like a file that
    is not DICOM; so is a folder that cannot be read, and one to which a link leads.
    """
    for path in paths:
        if path.is_dir():
            yield from _walk(path)
        else:
            yield _look(path)


def _walk(folder: Path) -> Iterator[Part10File | LeftOut]:
    # A stack: a tree may be deeper than calls may be.
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            if path.is_dir():
                if path.is_symlink() and path != folder:
                    yield LeftOut(path, "a link to a folder: it is not followed")
                else:
                    waiting += sorted(path.iterdir(), reverse=True)
            else:
                yield _look(path)
        except OSError as error:
            yield LeftOut(path, f"cannot be read: {error.strerror}")


def _look(path: Path) -> Part10File | LeftOut:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # A pipe or a device: to open it may never end.
            return LeftOut(path, "neither a file nor a folder")
        meta = _file_meta(path)
    except OSError as error:
        return LeftOut(path, f"cannot be read: {error.strerror or 'it ends too early'}")
    except InvalidDicomError:
        return LeftOut(path, "not a DICOM file (no DICM after a preamble, PS3.10 7.1)")
    except Exception as error:
        # pydicom raises nearly anything on a damaged header; one file must not stop the others.
        why = f"its file meta information is damaged ({type(error).__name__})"
        return LeftOut(path, why, is_damaged=True)
    missing = [name for name in _REQUIRED if not _is_uid(meta[name])]
    if missing:
        why = f"its file meta information has no usable {' or '.join(missing)}"
        return LeftOut(path, why, is_damaged=True)
    if meta["MediaStorageSOPClassUID"] == MediaStorageDirectoryStorage:
        return LeftOut(path, "a DICOMDIR, the index of a folder and not an image", is_index=True)
    return Part10File(path, *(meta[name] for name in _REQUIRED))


def _file_meta(path: Path) -> dict[str, str]:
    with warnings.catch_warnings():
        # A value that bends its representation is the receiver's to judge.
        warnings.simplefilter("ignore")
        meta = read_file_meta_info(path)
        return {name: str(meta.get(name, "") or "") for name in _REQUIRED}


def _is_uid(value: str) -> bool:
    return 0 < len(value) <= _UID_LENGTH and all(c.isascii() and c in "0123456789." for c in value)
