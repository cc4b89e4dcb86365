"""What one check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


class Level(StrEnum):
    """Well; worth a look; or nothing works before it is mended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor.

    Attributes
    ----------
    subject
        What was looked at.
    detail
        What was found and, unless all is well, what to do.
    """

    level: Level
    subject: str
    detail: str

    def line(self) -> Table:
        """Return it as a line for a terminal; what is too long goes on below its beginning."""
        from rich.table import Table
        from rich.text import Text

        from worklist.plain_text import plain

        line = Table.grid()
        line.add_column(width=5)
        line.add_column(width=20)
        line.add_column(overflow="fold")
        # A host's or a server's words must not act on the terminal.
        detail = Text(plain(self.detail), "" if self.level is not Level.OK else "dim")
        line.add_row(Text(self.level.value, _STYLES[self.level]), Text(self.subject), detail)
        return line

    def as_dict(self) -> dict[str, str]:
        """Return it as an object for JSON."""
        return {"level": self.level.value, "subject": self.subject, "detail": self.detail}


def ok(subject: str, detail: str) -> Finding:
    """Return that all is well."""
    return Finding(Level.OK, subject, detail)


def warn(subject: str, detail: str) -> Finding:
    """Return that something deserves a look."""
    return Finding(Level.WARN, subject, detail)


def fail(subject: str, detail: str) -> Finding:
    """Return that something must be mended."""
    return Finding(Level.FAIL, subject, detail)
