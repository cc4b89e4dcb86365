"""What everybody has in common who is told in words: notices go out once, and are on record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from pacs.notice import Notice, note_told, read_notice
from pacs.refusal import Refusal
from pacs.told import ToldVerdicts
from screening.domain.verdict import Verdict
from screening.records.deliveries import Delivery
from screening.records.engine import Records


class NoticePlace(BaseModel):
    """Somebody who is told.

    Attributes
    ----------
    name
        For people, and for `nightread deliveries`; it must not change.
    verdicts
        Of which studies.
    give_up_days
        After so long without success a notice is given up, and listed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")
    verdicts: ToldVerdicts = (Verdict.SUSPECTED, Verdict.DOUBTFUL)
    give_up_days: float = Field(default=2.0, gt=0, le=365)

    def wants(self, verdict: str, calling_ae_title: str | None) -> bool:
        """Say whether they are told of a study."""
        return verdict in self.verdicts


Answer = tuple[int | None, Refusal | None]
"""The status with which somebody took a notice, and why somebody did not."""

_Place = TypeVar("_Place", bound=NoticePlace)


class Notifier(ABC, Generic[_Place]):
    """Brings notices to one place.

    Parameters
    ----------
    records
        What there is to tell.
    place
        Who is told.
    worklist_url
        Under which the worklist is reached; empty where unknown.
    storages
        Places of results: of what was given up there they are told as well.
    """

    tells_failures = True
    needs_pixels = False

    def __init__(
        self,
        records: Records,
        place: _Place,
        worklist_url: str = "",
        storages: Collection[str] = (),
    ) -> None:
        self._records = records
        self._place = place
        self._worklist_url = worklist_url
        self._storages = frozenset(storages)
        self.name = place.name
        self.give_up_days = place.give_up_days

    def wants(self, verdict: str, calling_ae_title: str | None) -> bool:
        """Say whether they are told of a study."""
        return self._place.wants(verdict, calling_ae_title)

    def carry(self, delivery: Delivery) -> list[Refusal]:
        """Tell what there is to tell, and record that it was taken.

        Raises
        ------
        DeliveryError
            If nobody takes it.
        """
        notice = read_notice(self._records, delivery, self._worklist_url, self._storages)
        if notice is None:
            return []
        status, refusal = self._tell(notice)
        if status is not None:
            note_told(self._records, delivery, notice, status)
        return [refusal] if refusal is not None else []

    def cut(self) -> None:
        """Let it end: each of its steps has a limit of its own."""

    @abstractmethod
    def _tell(self, notice: Notice) -> Answer:
        """Tell it."""
