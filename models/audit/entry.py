"""One labelled file of a set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelled file.

    Attributes
    ----------
    name
        As the set calls it: below its folder, or the table's ``path``.
    path
        Of the file.
    label
        ``fractured`` or ``not_fractured``.
    split
        ``train``, ``val``, ``test``, another word of the table, or empty where there is none.
    group
        The source that the set names; empty where it names none.
    attributes
        The other columns of the table, as they stand.
    """

    name: str
    path: Path
    label: str
    split: str = ""
    group: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
