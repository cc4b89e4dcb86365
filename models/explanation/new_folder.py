"""A folder that is there whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from screening.errors import TrainingError


def require_free(folder: Path) -> None:
    """Refuse a folder that exists.

    Raises
    ------
    TrainingError
        If it does.
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
    require_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _refusal(folder, error) from error
    try:
        yield temporary
        temporary.rename(folder)
    except OSError as error:
        raise _refusal(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refusal(folder: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"nothing can be written to {folder} ({error.strerror or error}): give another folder "
        "with --out"
    )
