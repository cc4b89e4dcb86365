"""One study of a batch: what the PACS has of it is asked, fetched and compared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from night.sources import Source
from pacs.find import FoundSeries, Query
from pacs.limits import Limits
from pacs.outgoing import outgoing_folder
from pacs.peer import Peer
from pacs.question import Question
from pacs.retrieve import get, move
from pacs.send import send
from pacs.survey import Part10File, survey
from pacs.web_archive import WebQuery, get_by_web
from screening.errors import AssociationError, NightreadError, QueryError, RetrieveError
from screening.records.engine import Records
from screening.records.holdings import held_by_series


@dataclass(frozen=True, slots=True)
class Visit:
    """What a look at a study came to.

    Attributes
    ----------
    expected
        Images that the PACS has of the series that were asked for.
    here
        How many of these are here.
    missing
        SOP Instance UIDs of those that are not.
    arrived
        SOP Instance UIDs of images that came during the look.
    explanation
        What prevented the rest; empty where nothing is missing.
    """

    expected: int
    here: int
    missing: frozenset[str]
    arrived: frozenset[str]
    explanation: str


@dataclass(frozen=True, slots=True)
class _Series:
    """A series at the PACS: how many images, and which, where it was asked for them by name."""

    images: int
    uids: frozenset[str] | None

    def lacks(self, held: frozenset[str]) -> int:
        if self.uids is not None:
            return len(self.uids - held)
        return max(0, self.images - len(held))


class Visitor:
    """Looks at studies of one source.

    Parameters
    ----------
    records
        Where it stands what is here.
    source
        The PACS.
    door
        Our own listener, called as the PACS; its AE title is the one that a C-MOVE names.
    own_ae_title
        Ours, towards the PACS.
    folder
        For what a C-GET brings, until the door has it.
    cut
        Ends what is on its way at once when set.
    require_space
        Raises an error where the disk is short of space.
    """

    def __init__(
        self,
        records: Records,
        source: Source,
        door: Peer,
        own_ae_title: str,
        folder: Path,
        cut: threading.Event,
        require_space: Callable[[], None],
    ) -> None:
        self._records = records
        self._source = source
        self._own_ae_title = own_ae_title
        self._door = door
        self._folder = folder
        self._cut = cut
        self._require_space = require_space

    def look_at(self, study: str, question: Question, *, by_name: bool = False) -> Visit:
        """Fetch what is not here of a study, and say what is and what is not.

        Parameters
        ----------
        by_name
            Whether the PACS is asked for each image by its UID; else for their number alone, which
            is the same where one was replaced by another.

        Raises
        ------
        NightreadError
            If the PACS does not answer, or refuses a query.
        """
        with self._source.asked(self._own_ae_title, self._cut) as query:
            wanted = {
                each.series_instance_uid: self._size(query, study, each, by_name=by_name)
                for each in query.series(study)
                if question.wants(each.modality, each.body_part, each.station)
            }
        before = self._held(study)
        failures = [self._fetch(study, uid, wanted[uid].images) for uid in _lacking(wanted, before)]
        after = self._held(study) if failures else before
        lacking = _lacking(wanted, after)
        expected = sum(each.images for each in wanted.values())
        return Visit(
            expected=expected,
            here=expected - sum(wanted[uid].lacks(_of(after, uid)) for uid in lacking),
            missing=self._missing(study, lacking, after) if lacking else frozenset(),
            arrived=frozenset().union(*after.values()) - frozenset().union(*before.values()),
            explanation="; ".join(sorted({each for each in failures if each})) if lacking else "",
        )

    def _size(
        self, query: Query | WebQuery, study: str, series: FoundSeries, *, by_name: bool
    ) -> _Series:
        if series.images is not None and not by_name:
            return _Series(series.images, None)
        uids = query.instances(study, series.series_instance_uid)
        if not uids and series.images is None:
            raise QueryError("the PACS lists a series and none of its images")
        if not uids:
            return _Series(series.images or 0, None)
        return _Series(len(uids), uids)

    def _held(self, study: str) -> dict[str, frozenset[str]]:
        with self._records.read() as session:
            return held_by_series(session, study)

    def _missing(
        self, study: str, lacking: Iterable[str], held: Mapping[str, frozenset[str]]
    ) -> frozenset[str]:
        with self._source.asked(self._own_ae_title, self._cut) as query:
            named = [query.instances(study, uid) - _of(held, uid) for uid in lacking]
        return frozenset().union(*named)

    def _fetch(self, study: str, series: str, images: int) -> str:
        """Fetch a series, and return what went wrong; empty where nothing did."""
        try:
            if self._source.retrieve == "move" and not self._source.dicomweb_url:
                peer, to = self._source.peer(self._own_ae_title), self._door.called_ae_title
                return move(peer, study, series, to, self._cut).explanation
            with outgoing_folder(self._folder) as folder:
                said = self._get(study, series, folder, Limits(images, self._require_space))
                # Whatever became of the rest, what came is kept.
                return "; ".join(filter(None, (said, self._hand_in(folder))))
        except AssociationError:
            raise
        except NightreadError as error:
            return str(error)

    def _get(self, study: str, series: str, folder: Path, limits: Limits) -> str:
        source = self._source
        try:
            if source.dicomweb_url:
                get_by_web(
                    source.dicomweb_url,
                    source.dicomweb_token,
                    study,
                    series,
                    folder,
                    self._cut,
                    limits,
                )
                return ""
            peer = source.peer(self._own_ae_title)
            return get(peer, study, series, folder, limits, self._cut).explanation
        except RetrieveError as error:
            return str(error)

    def _hand_in(self, folder: Path) -> str:
        """Bring what came to our own door, which keeps it as it keeps all that comes."""
        files = [each for each in survey([folder]) if isinstance(each, Part10File)]
        try:
            refused = [sent for sent in send(files, self._door) if not sent.accepted]
        except NightreadError as error:
            return str(error)
        # Without the comment, which may hold a patient.
        return "; ".join(sorted({each.explanation.split(" (")[0] for each in refused}))


def _of(held: Mapping[str, frozenset[str]], series: str) -> frozenset[str]:
    return held.get(series, frozenset())


def _lacking(wanted: Mapping[str, _Series], held: Mapping[str, frozenset[str]]) -> list[str]:
    return [uid for uid, series in wanted.items() if series.lacks(_of(held, uid))]
