"""A file that holds its old content or its new, and never a part of it."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name and rename it; its folder is made where there is none.

    Raises
    ------
    OSError
        If it cannot be written. What was there before is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.part"
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
