"""Which PACS are asked, for what and when: a file of sources, checked as a whole."""

from __future__ import annotations

import datetime as dt
import threading
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from pacs.find import Query, querying
from pacs.host import Host
from pacs.mail_server import MailServer
from pacs.peer import Peer
from pacs.question import RADIOGRAPHS, Question
from pacs.tables import read_tables
from pacs.tls import TlsChoice
from pacs.web_archive import WebQuery, web_querying
from screening.domain.night_batch import ARCHIVE, FOLDER
from screening.errors import SendError, SettingsError
from screening.web_address import require_safe

_Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]


_ANY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {value}: name one as Europe/Berlin") from None
    return value


def _cron(value: str) -> str:
    try:
        CronSim(value, dt.datetime(2026, 1, 1))
    except CronSimError as error:
        raise ValueError(f"{value!r} is nothing that cron knows: {error}") from None
    return value


_Timezone = Annotated[str, AfterValidator(_zone)]
_Cron = Annotated[str, AfterValidator(_cron)]


class Hours(BaseModel):
    """A stretch of each day, over midnight where it ends before it begins.

    Attributes
    ----------
    begin, end
        In the time of the zone; the end is not included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    begin: dt.time
    end: dt.time

    @model_validator(mode="after")
    def _is_some_time(self) -> Hours:
        if self.begin.tzinfo or self.end.tzinfo:
            raise ValueError("without a zone: that of the source holds")
        if self.begin == self.end:
            raise ValueError("begin and end are the same: leave the hours out for always")
        return self

    def include(self, moment: dt.time) -> bool:
        """Say whether a time of the day lies in it."""
        if self.begin <= self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


class Source(TlsChoice):
    """A PACS that images are fetched from.

    Attributes
    ----------
    name
        For people, and on record; it must not change.
    ae_title, host, port
        Of the PACS.
    calling_ae_title
        Ours towards it; empty for `NIGHTREAD_AE_TITLE`.
    dicomweb_url, dicomweb_token
        Of its DICOMweb service, where it is asked by QIDO-RS and WADO-RS: its address, as
        ``https://pacs/dicom-web``, and what is sent as ``Authorization: Bearer``.
    retrieve
        ``move``: the PACS sends to our door, which it must know. ``get``: over our own association,
        for a PACS that knows nobody.
    studies_in_flight
        How many studies may wait to be screened before the next is fetched.
    associations
        How many studies are fetched at the same time.
    hours
        In which it may be asked, as ``{begin = "20:00", end = "06:00"}``; by default always.
    timezone
        Of the hours and of the schedules, as ``Europe/Berlin``.
    tls, tls_authorities, tls_certificate, tls_key
        As `pacs.tls.TlsChoice` has them.
    """

    name: _Name
    ae_title: str = ""
    host: Host = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    dicomweb_url: str = ""
    dicomweb_token: Annotated[str, Field(repr=False)] = ""
    calling_ae_title: str = ""
    retrieve: Literal["move", "get"] = "move"
    studies_in_flight: Annotated[int, Field(ge=1, le=10_000)] = 50
    associations: Annotated[int, Field(ge=1, le=16)] = 2
    hours: Hours | None = None
    timezone: _Timezone = "UTC"

    @field_validator("dicomweb_url")
    @classmethod
    def _safe(cls, value: str) -> str:
        return require_safe(value).rstrip("/") if value else value

    @model_validator(mode="after")
    def _is_somewhere(self) -> Source:
        if self.dicomweb_url and (self.ae_title or self.host or self.port):
            raise ValueError("with dicomweb_url there is no ae_title, host and port")
        if not self.dicomweb_url and not (self.ae_title and self.host and self.port):
            raise ValueError("ae_title, host and port are needed, or dicomweb_url")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """Of its hours."""
        return ZoneInfo(self.timezone)

    def is_open(self, now: dt.datetime) -> bool:
        """Say whether it may be asked at a moment."""
        return self.hours is None or self.hours.include(now.astimezone(self.zone).time())

    def asked(
        self, own_ae_title: str, cut: threading.Event
    ) -> AbstractContextManager[Query | WebQuery]:
        """Return what it is asked by; ``cut`` ends that at once when set."""
        if self.dicomweb_url:
            return web_querying(self.dicomweb_url, self.dicomweb_token, cut)
        return querying(self.peer(own_ae_title), cut)

    def peer(self, own_ae_title: str) -> Peer:
        """Return whom to call.

        Raises
        ------
        SendError
            If a title can be nobody's, or a certificate cannot be read.
        """
        calling = self.calling_ae_title or own_ae_title
        return Peer(self.host, self.port, self.ae_title, calling, self.tls_context(self.name))


class Schedule(BaseModel):
    """What is fetched night after night.

    Attributes
    ----------
    name
        For people, and on record; it must not change.
    source
        From which PACS, by its name.
    begins
        When, as cron says it, in the zone of the source: ``0 22 * * *`` is at 22:00 each day.
    first_day, last_day
        Study dates from and to, in days before the one on which it begins. By default the day
        before and the day itself: what was made after the night had begun belongs to the next.
    catch_up_days
        A night that was missed is made up for if it should have begun at most so many days ago.
    modalities, body_parts, stations
        As `pacs.question.Question` has them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    source: str
    begins: _Cron
    first_day: Annotated[int, Field(ge=0, le=3650)] = 1
    last_day: Annotated[int, Field(ge=0, le=3650)] = 0
    catch_up_days: Annotated[int, Field(ge=0, le=30)] = 3
    modalities: tuple[str, ...] = RADIOGRAPHS
    body_parts: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _can_be_asked(self) -> Schedule:
        if self.last_day > self.first_day:
            raise ValueError("last_day is before first_day: both count backwards from the night")
        self.question(dt.date(2026, 1, 1))
        days = [moment.date() for moment in islice(CronSim(self.begins, _ANY), 100)]
        if len(set(days)) < len(days):
            raise ValueError("begins: a night has one beginning; use one schedule for each")
        return self

    def question(self, night: dt.date) -> Question:
        """Return what is asked for in the night that begins on a date."""
        return Question(
            first_day=night - dt.timedelta(days=self.first_day),
            last_day=night - dt.timedelta(days=self.last_day),
            modalities=self.modalities,
            body_parts=self.body_parts,
            stations=self.stations,
        )


class Report(MailServer):
    """People who get the report of the night by e-mail.

    Attributes
    ----------
    name
        For people, and on record; it must not change.
    at
        When, as cron says it, in the zone: ``30 6 * * *`` is at 06:30 each day.
    timezone
        As ``Europe/Berlin``.
    with_patients
        Whether the page, which holds patients and their pictures, is attached.
    """

    name: _Name
    at: _Cron
    timezone: _Timezone = "UTC"
    with_patients: bool = False


class Sources(BaseModel):
    """All of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: tuple[Source, ...] = ()
    schedule: tuple[Schedule, ...] = ()
    report: tuple[Report, ...] = ()

    @model_validator(mode="after")
    def _fit_together(self) -> Sources:
        names = [each.name for each in self.source]
        if taken := {FOLDER, ARCHIVE} & set(names):
            raise ValueError(f"source {min(taken)}: that is the name of what is no PACS; another")
        for kind, all_names in (
            ("source", names),
            ("schedule", [each.name for each in self.schedule]),
            ("report", [each.name for each in self.report]),
        ):
            if len(set(all_names)) < len(all_names):
                raise ValueError(f"each {kind} needs a name of its own")
        for schedule in self.schedule:
            if schedule.source not in names:
                known = ", ".join(names) or "none"
                raise ValueError(
                    f"schedule {schedule.name}: there is no source {schedule.source} ({known})"
                )
        return self

    def find(self, name: str) -> Source | None:
        """Return a source by its name."""
        return next((each for each in self.source if each.name == name), None)


def read_sources(file: Path, own_ae_title: str) -> Sources:
    """Read a file of sources and schedules: TOML, a table for each.

    Raises
    ------
    SettingsError
        If it cannot be read, or something in it cannot be meant; the message says what and why.
    """
    setting = "NIGHTREAD_SOURCES_FILE"
    found = read_tables(file, setting, Sources)
    if not (found.source or found.report):
        raise SettingsError(f"{setting}={file} names nobody: docs/night.md has examples")
    try:
        for source in (each for each in found.source if not each.dicomweb_url):
            source.peer(own_ae_title)
    except SendError as error:
        raise SettingsError(f"{setting}={file}: {error}") from None
    return found
