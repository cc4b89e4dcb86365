"""The folder of a report, which is there whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

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


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files to a folder beside it under another name, which is renamed at the end.

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
    require_new(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _refusal(folder, error) from error
    try:
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        temporary.rename(folder)
    except OSError as error:
        raise _refusal(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refusal(folder: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"the report cannot be written to {folder} ({error.strerror}): give another folder "
        "with --out"
    )
