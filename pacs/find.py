"""C-FIND as SCU: what a PACS says that it has, PS3.4 C.4.1, in the study root model."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from pacs.peer import Peer, association
from pacs.question import Question
from screening.errors import QueryError, TooMuchError

CONTEXT = (str(StudyRootQueryRetrieveInformationModelFind), str(ImplicitVRLittleEndian))
"""The presentation context of the service."""

# Of printable ASCII, and longer than PS3.5 9.1 has it: senders have odd ones.
_UID = re.compile(r"[!-)+->@-\[\]-~]{1,128}")
_LONGEST_NUMBER = 64
_MOST_DIGITS = 6
_LONGEST_QUERY = 600.0
# PS3.4 Table C.4-1: the second with keys that the PACS does not support, which we need not have.
_PENDING = (0xFF00, 0xFF01)
_SUCCESS = 0x0000
_OUT_OF_RESOURCES = 0xA700
_ENDED = 0xFE00  # "due to cancel request": Orthanc's answer where its limit is reached


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that a PACS has."""

    study_instance_uid: str
    accession_number: str | None


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series that a PACS has.

    Attributes
    ----------
    images
        Number of Series Related Instances; ``None`` where the PACS does not say.
    """

    series_instance_uid: str
    modality: str
    body_part: str
    station: str
    images: int | None


class Query:
    """Questions over one association.

    Attributes
    ----------
    unnamed
        Answers so far that named a study by no UID that can be asked for.
    """

    def __init__(self, assoc: Association, peer: Peer) -> None:
        self._assoc = assoc
        self._peer = peer
        self.unnamed = 0

    def studies(self, question: Question) -> Iterator[FoundStudy]:
        """Yield the studies that may belong to a batch, each once.

        It is asked day by day and modality by modality: a PACS may limit how much it answers, and
        need not match several values of Modalities in Study. A day that is too much for it is asked
        for in halves, down to single hours.

        Raises
        ------
        QueryError
            If it refuses, or does not answer to the end.
        """
        known: set[str] = set()
        for keys in study_keys(question):
            for found in self._find_studies(keys):
                uid = uid_of(found, "StudyInstanceUID")
                self.unnamed += not uid
                if uid and uid not in known:
                    known.add(uid)
                    number = number_of_study(found) or keys["AccessionNumber"]
                    yield FoundStudy(uid, number or None)

    def _find_studies(
        self, keys: dict[str, str], begin: int = 0, end: int = 24
    ) -> Iterator[Dataset]:
        """Find studies of some hours; where that is too much at once, of each half of them.

        What came before a refusal is found; a study of that day without a time may not be.
        """
        is_whole = end - begin == 24
        times = {} if is_whole else {"StudyTime": f"{begin:02}0000-{end - 1:02}5959.999999"}
        try:
            yield from self._find("STUDY", keys | times)
            return
        except TooMuchError:
            if not keys["StudyDate"] or end - begin == 1:
                raise
        middle = (begin + end) // 2
        yield from self._find_studies(keys, begin, middle)
        yield from self._find_studies(keys, middle, end)

    def series(self, study_instance_uid: str) -> list[FoundSeries]:
        """Return the series of a study.

        Raises
        ------
        QueryError
            If the PACS refuses, does not answer to the end, or names none.
        """
        asked = (
            *("SeriesInstanceUID", "Modality", "BodyPartExamined", "StationName"),
            "NumberOfSeriesRelatedInstances",
        )
        keys = {"StudyInstanceUID": study_instance_uid, **dict.fromkeys(asked, "")}
        series = [series_of(found) for found in self._find("SERIES", keys)]
        return named_series(series)

    def instances(self, study_instance_uid: str, series_instance_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of a series."""
        keys = {
            "StudyInstanceUID": study_instance_uid,
            "SeriesInstanceUID": series_instance_uid,
            "SOPInstanceUID": "",
        }
        return named_images(uid_of(each, "SOPInstanceUID") for each in self._find("IMAGE", keys))

    def _find(self, level: str, keys: dict[str, str]) -> Iterator[Dataset]:
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        for name, value in keys.items():
            setattr(identifier, name, value)
        try:
            answers = self._assoc.send_c_find(
                identifier, StudyRootQueryRetrieveInformationModelFind
            )
            deadline = time.monotonic() + _LONGEST_QUERY
            for status, found in answers:
                code = status.get("Status")
                if code in _PENDING:
                    if time.monotonic() > deadline:
                        raise QueryError(f"{self._peer} goes on answering a query without an end")
                    if found is not None:
                        yield found
                    continue
                if code != _SUCCESS:
                    refusal = TooMuchError if _is_too_much(code) else QueryError
                    raise refusal(_explain(self._peer, code))
                return
        except (RuntimeError, ValueError):  # it has ended the association, or offers no queries
            pass
        raise QueryError(_explain(self._peer, None))


@contextmanager
def querying(peer: Peer, cut: threading.Event | None = None) -> Iterator[Query]:
    """Open an association on which a PACS is asked what it has; ``cut`` ends it at once when set.

    Raises
    ------
    AssociationError
        If there is none.
    """
    with association(peer, [CONTEXT], cut=cut) as assoc:
        yield Query(assoc, peer)


def series_of(found: Dataset) -> FoundSeries:
    """Return what an answer says of a series; what it does not say is empty."""
    return FoundSeries(
        series_instance_uid=uid_of(found, "SeriesInstanceUID"),
        modality=text_of(found, "Modality"),
        body_part=text_of(found, "BodyPartExamined"),
        station=text_of(found, "StationName"),
        images=_number(found, "NumberOfSeriesRelatedInstances"),
    )


def named_series(series: list[FoundSeries]) -> list[FoundSeries]:
    """Return a study's series.

    Raises
    ------
    QueryError
        If there is none, or one has no UID that can be asked for.
    """
    if not series:
        raise QueryError("the PACS lists a study and none of its series")
    if not all(each.series_instance_uid for each in series):
        raise QueryError("the PACS lists a series without a UID that can be asked for")
    return series


def named_images(uids: Iterable[str]) -> frozenset[str]:
    """Return the UIDs of images.

    Raises
    ------
    QueryError
        If one cannot be asked for.
    """
    found = frozenset(uids)
    if "" in found:
        raise QueryError("the PACS lists an image without a UID that can be asked for")
    return found


def study_keys(question: Question) -> Iterator[dict[str, str]]:
    """Yield the keys of each query that a question takes."""
    asked = {"StudyInstanceUID": "", "AccessionNumber": "", "StudyDate": ""}
    if question.accession_numbers:
        days = _range(question.days)
        for number in question.accession_numbers:
            yield {**asked, "AccessionNumber": number, "StudyDate": days}
        return
    for day in question.days:
        for modality in question.modalities:
            yield {**asked, "StudyDate": f"{day:%Y%m%d}", "ModalitiesInStudy": modality}


def _range(days: list[dt.date]) -> str:
    """Return a range of dates, PS3.4 C.2.2.2.5; empty, which matches any, for no days."""
    return f"{days[0]:%Y%m%d}-{days[-1]:%Y%m%d}" if days else ""


def text_of(found: Dataset, name: str) -> str:
    """Return a value of an answer as text; empty where there is none that can be read."""
    try:
        return str(found.get(name) or "").strip()
    except Exception:
        return ""  # pydicom raises nearly anything on a value that is none of its kind


def uid_of(found: Dataset, name: str) -> str:
    """Return a UID of an answer, of whatever form, if it can be asked for and kept; else nothing.

    One with a wildcard would ask for more, PS3.4 C.2.2.2.4, and one with a backslash is several.
    """
    uid = text_of(found, name)
    return uid if _UID.fullmatch(uid) else ""


def number_of_study(found: Dataset) -> str:
    """Return the accession number of an answer, as far as it can be kept and shown."""
    text = "".join(each for each in text_of(found, "AccessionNumber") if each.isprintable())
    return text[:_LONGEST_NUMBER]


def _number(found: Dataset, name: str) -> int | None:
    text = text_of(found, name)
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else None


def _is_too_much(status: int | None) -> bool:
    """Say whether a PACS may answer a narrower query; "unable to process" is many things."""
    if status is None:
        return False
    return status in (_OUT_OF_RESOURCES, _ENDED) or status & 0xF000 == 0xC000


def _explain(peer: Peer, status: int | None) -> str:
    if status is None:
        return f"{peer} did not answer a query to its end: look at its log"
    return f"{peer} answered 0x{status:04X} to a query (PS3.4 Table C.4-1): look at its log"
