"""One study of a batch: what the PACS has of it is asked, fetched and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from night.sources import Source
from pacs.find import FoundSeries, Query, querying
from pacs.outgoing import outgoing_folder
from pacs.peer import Peer
from pacs.question import Question
from pacs.retrieve import Retrieval, get, move
from pacs.send import send
from pacs.survey import Part10File, survey
from screening.errors import NightreadError, RetrieveError
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
        Images that came during the look.
    explanation
        What prevented the rest; empty where nothing is missing.
    """

    expected: int
    here: int
    missing: frozenset[str]
    arrived: int
    explanation: str


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
    """

    def __init__(
        self, records: Records, source: Source, door: Peer, own_ae_title: str, folder: Path
    ) -> None:
        self._records = records
        self._source = source
        self._peer = source.peer(own_ae_title)
        self._door = door
        self._folder = folder

    def look_at(self, study: str, question: Question) -> Visit:
        """Fetch what is not here of a study, and say what is and what is not.

        Raises
        ------
        NightreadError
            If the PACS does not answer, or refuses.
        """
        with querying(self._peer) as query:
            wanted = [
                each
                for each in query.series(study)
                if question.wants(each.modality, each.body_part, each.station)
            ]
            sizes = {each.series_instance_uid: self._size(query, study, each) for each in wanted}
        before = self._held(study)
        failures = [
            self._fetch(study, uid)
            for uid, size in sizes.items()
            if len(before.get(uid, ())) < size
        ]
        after = self._held(study) if failures else before
        lacking = [uid for uid, size in sizes.items() if len(after.get(uid, ())) < size]
        missing = self._missing(study, lacking, after) if lacking else frozenset[str]()
        return Visit(
            expected=sum(sizes.values()),
            here=sum(min(size, len(after.get(uid, ()))) for uid, size in sizes.items()),
            missing=missing,
            arrived=_count(after) - _count(before),
            explanation="; ".join(sorted({each for each in failures if each})) if lacking else "",
        )

    def _size(self, query: Query, study: str, series: FoundSeries) -> int:
        if series.images is not None:
            return series.images
        return len(query.instances(study, series.series_instance_uid))

    def _held(self, study: str) -> dict[str, frozenset[str]]:
        with self._records.read() as session:
            return held_by_series(session, study)

    def _missing(
        self, study: str, lacking: Sequence[str], held: dict[str, frozenset[str]]
    ) -> frozenset[str]:
        with querying(self._peer) as query:
            named = [query.instances(study, uid) - held.get(uid, frozenset()) for uid in lacking]
        return frozenset().union(*named)

    def _fetch(self, study: str, series: str) -> str:
        """Fetch a series, and return what went wrong; empty where nothing did."""
        if self._source.retrieve == "move":
            return move(self._peer, study, series, self._door.called_ae_title).explanation
        with outgoing_folder(self._folder) as folder:
            got = get(self._peer, study, series, folder)
            return got.explanation or self._hand_in(folder, got)

    def _hand_in(self, folder: Path, got: Retrieval) -> str:
        """Bring what came to our own door, which keeps it as it keeps all that comes."""
        files = [each for each in survey([folder]) if isinstance(each, Part10File)]
        if len(files) < got.completed:
            raise RetrieveError("what the PACS sent could not be kept: is the disk full?")
        try:
            refused = [sent for sent in send(files, self._door) if not sent.accepted]
        except NightreadError as error:
            return str(error)
        # Without the comment, which may hold a patient.
        return "; ".join(sorted({each.explanation.split(" (")[0] for each in refused}))


def _count(held: dict[str, frozenset[str]]) -> int:
    return sum(map(len, held.values()))
