"""What every request of the desk needs: settings, records, archive, frames."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.templating import Jinja2Templates

from screening.archive.archive import Archive
from screening.archive.free_space import LowDisk
from screening.domain.account import Actor
from screening.errors import ArchiveAwayError, ArchiveError, OutOfSpaceError
from screening.records.audit import Event, note
from screening.records.engine import Records
from screening.records.night_tally import BatchTally
from screening.settings import Settings
from worklist.frames import Frames
from worklist.night_plan import NightPlan
from worklist.openid import SignInService
from worklist.refusal import RefusalError
from worklist.shown import filters, span

_TEMPLATES = Path(__file__).parent / "templates"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _templates() -> Jinja2Templates:
    made = Jinja2Templates(directory=_TEMPLATES)
    made.env.filters |= filters()
    made.env.globals["span"] = span
    return made


@dataclass(frozen=True, slots=True)
class Desk:
    """Parts that requests share.

    Attributes
    ----------
    settings, records, archive, frames, low_disk
        As their names say.
    clock
        Returns the present, UTC.
    sign_in_service
        Where else people sign in; ``None`` where nowhere.
    nights
        What should begin when.
    ended_batches
        What became of batches that have ended, by their number: nobody counts them again.
    templates
        Of the pages.
    """

    settings: Settings
    records: Records
    archive: Archive
    frames: Frames
    low_disk: LowDisk
    clock: Callable[[], dt.datetime] = _now
    sign_in_service: SignInService | None = None
    nights: NightPlan = field(default_factory=NightPlan)
    ended_batches: dict[int, BatchTally] = field(default_factory=dict)
    templates: Jinja2Templates = field(default_factory=_templates)

    def note(
        self, actor: Actor, event: Event, *, study: str | None = None, detail: str = ""
    ) -> None:
        """Record what somebody does, in a transaction of its own.

        What they are shown is read in another one, before: on SQLite who writes keeps the door
        waiting.
        """
        with self.records.begin() as session:
            note(session, actor, event, self.clock(), study_instance_uid=study, detail=detail)

    def file(self, digest: str) -> Path:
        """Return the path of an image's file.

        Raises
        ------
        RefusalError
            If the archive does not have it, or cannot be reached.
        """
        try:
            return self.archive.open_path(digest)
        except (ArchiveAwayError, OutOfSpaceError) as error:
            raise RefusalError(503, str(error)) from None
        except ArchiveError as error:
            raise RefusalError(415, str(error)) from None


def _desk(request: Request) -> Desk:
    return cast(Desk, request.app.state.desk)


AtDesk = Annotated[Desk, Depends(_desk)]
"""A parameter of an endpoint that wants the desk."""
