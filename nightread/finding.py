"""What one check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text


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

    def line(self) -> Text:
        """Return it as a line for a terminal."""
        from rich.text import Text

        from worklist.plain_text import plain

        # A host's or a server's words must not act on the terminal.
        return Text.assemble(
            (f"{self.level.value:<5}", _STYLES[self.level]),
            (f"{self.subject:<20}", ""),
            (plain(self.detail), "" if self.level is not Level.OK else "dim"),
        )

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
