"""Files that hold one setting each: what must be true of them before they are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from screening.errors import SettingsError
from screening.settings import PREFIX


def secret_names(folder: Path) -> set[str]:
    """Return the names of the settings that a folder holds, in capitals as variables have them.

    Files of others may stand beside them; ours begin with ``nightread_``, in small letters or
    capitals.

    Raises
    ------
    SettingsError
        If the folder or one of the files cannot be read, is empty, is no text, is there twice, or
        leads out of the folder: the library that reads them would pass over some of these.
    """
    names: set[str] = set()
    for path in _ours(folder):
        name = path.name.upper()
        if name in names:
            raise SettingsError(f"{path}: there is a second file of this name: remove one")
        _require_text(folder, path)
        names.add(name)
    return names


def open_to_others(folder: Path) -> list[Path]:
    """Return those of the files that any user of this machine, or container, may read."""
    if not folder.stat().st_mode & 0o001:
        return []
    return [path for path in _ours(folder) if path.stat().st_mode & 0o004]


def _ours(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise SettingsError(
            f"{folder}: this folder of secrets cannot be read ({error.strerror}): give this "
            "process's user the right to"
        ) from None
    return (path for path in found if path.name.upper().startswith(PREFIX))


def _require_text(folder: Path, path: Path) -> None:
    try:
        content = path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(
            f"{path}: this secret cannot be read ({error.strerror}): it must be a file that this "
            "process's user may read"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: this secret is no text in UTF-8") from None
    # Kubernetes's own files are links, to a folder beside them.
    if folder.resolve() not in path.resolve().parents:
        raise SettingsError(f"{path} is a link that leads out of its folder: put the file there")
    if not content:
        raise SettingsError(f"{path}: this secret is empty: write it, or remove the file")
    if "\n" in content or "\0" in content:
        raise SettingsError(f"{path}: this secret has several lines: it must be one")
