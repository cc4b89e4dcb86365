"""A folder of results: a new one is there whole or not at all, one in use gets whole files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from models.whole_file import write_whole
from screening.errors import TrainingError


def require_new(folder: Path) -> None:
    """Refuse a folder that is already there.

    Raises
    ------
    TrainingError
        If it is.
    """
    if folder.exists() or folder.is_symlink():
        raise TrainingError(
            f"{folder} is already there: give another folder with --out, or remove it"
        )


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``folder``, which takes its name if all goes well.

    Raises
    ------
    TrainingError
        If ``folder`` exists, or cannot be written.
    """
    require_new(folder)
    with replaced_folder(folder) as temporary:
        yield temporary


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``folder``, which takes its place if all goes well.

    Raises
    ------
    TrainingError
        If ``folder`` cannot be written.
    """
    temporary = folder.parent / f".{folder.name}.{os.getpid()}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        raise _refusal(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder of files.

    Parameters
    ----------
    folder
        That does not exist yet; its parents are made.
    files
        By name.

    Raises
    ------
    TrainingError
        If it is there, or cannot be written.
    """
    with new_folder(folder) as temporary:
        for name, content in files.items():
            (temporary / name).write_bytes(content)


def update_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files to a folder that may be there: each is the former one or the new one.

    Raises
    ------
    TrainingError
        If one cannot be written.
    """
    try:
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise _refusal(folder, error) from error


def _refusal(folder: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"nothing can be written to {folder} ({error.strerror or error}): give another folder "
        "with --out"
    )
