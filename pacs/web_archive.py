"""QIDO-RS and WADO-RS: what a DICOMweb server has, and its images, PS3.18 10.6 and 10.4."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests
import urllib3
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from pacs.find import (
    FoundSeries,
    FoundStudy,
    named_images,
    named_series,
    number_of_study,
    series_of,
    study_keys,
    text_of,
    uid_of,
)
from pacs.limits import Limits
from pacs.question import Question
from pacs.web_session import WebSession
from screening.errors import (
    AssociationError,
    DeliveryError,
    NightreadError,
    QueryError,
    RetrieveError,
)

_SECONDS = 60.0
_LONGEST_RETRIEVAL = 3600.0
_LONGEST_QUERY = 600.0
# PS3.18 8.5 and RFC 9110: what says nothing of what was asked for, and may be over soon.
_BUSY = frozenset({401, 407, 408, 429, 502, 503, 504})
_MOST_ANSWERED = 50_000_000

_Answer = TypeVar("_Answer")


class WebQuery:
    """Questions to a DICOMweb server; its methods and attributes are those of `pacs.find.Query`."""

    def __init__(self, url: str, token: str, cut: threading.Event) -> None:
        self._session = WebSession(_MOST_ANSWERED)
        self._client = _client(url, token, self._session)
        self._cut = cut
        self.unnamed = 0

    def studies(self, question: Question) -> Iterator[FoundStudy]:
        """Yield the studies that may belong to a batch, each once."""
        known: set[str] = set()
        for keys in study_keys(question):
            filters = {name: value for name, value in keys.items() if value}
            for found in self._all(self._client.search_for_studies, search_filters=filters):
                uid = uid_of(found, "StudyInstanceUID")
                self.unnamed += not uid
                if uid and uid not in known:
                    known.add(uid)
                    number = number_of_study(found) or keys["AccessionNumber"]
                    yield FoundStudy(uid, number or None)

    def series(self, study_instance_uid: str) -> list[FoundSeries]:
        """Return the series of a study.

        Raises
        ------
        QueryError
            If it refuses, or names none.
        """
        fields = ["BodyPartExamined", "StationName", "NumberOfSeriesRelatedInstances"]
        found = self._all(
            self._client.search_for_series, study_instance_uid=study_instance_uid, fields=fields
        )
        return named_series([series_of(each) for each in found])

    def instances(self, study_instance_uid: str, series_instance_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of a series."""
        found = self._all(
            self._client.search_for_instances,
            study_instance_uid=study_instance_uid,
            series_instance_uid=series_instance_uid,
        )
        return named_images(uid_of(each, "SOPInstanceUID") for each in found)

    def _all(self, search: Callable[..., list[Any]], **choices: object) -> Iterator[Dataset]:
        """Yield all that a search finds, until the server has nothing that is new.

        It may answer with less than all, and some ignore the offset.
        """
        known: set[tuple[str, ...]] = set()
        with self._session.ending(self._cut, _LONGEST_QUERY):
            page = self._page(search, **choices)
            while new := {uids: found for found in page if (uids := _uids(found)) not in known}:
                known.update(new)
                yield from new.values()
                page = self._page(search, offset=len(known), **choices)

    def _page(self, search: Callable[..., list[Any]], **choices: object) -> list[Dataset]:
        return _asked(lambda: _datasets(search(**choices)), self._session)


@contextmanager
def web_querying(url: str, token: str, cut: threading.Event) -> Iterator[WebQuery]:
    """Yield what a DICOMweb server is asked by, as `pacs.find.querying` does for DIMSE."""
    yield WebQuery(url, token, cut)


def get_by_web(
    url: str,
    token: str,
    study: str,
    series: str,
    folder: Path,
    cut: threading.Event,
    limits: Limits,
) -> None:
    """Fetch a series into files of a folder, in the transfer syntax in which it is kept.

    Parameters
    ----------
    cut
        Ends it at once when set.
    limits
        Of what it may bring.

    Raises
    ------
    AssociationError
        If nobody answers, or the server is busy.
    OutOfSpaceError
        If there is no room for more.
    RetrieveError
        If the server refuses, breaks off, takes more than an hour, sends nothing, or its answer is
        none of WADO-RS. What came before stays in the folder.
    """
    session = WebSession(most_streamed=limits.most_bytes)
    client = _client(url, token, session)
    kept = (("application/dicom", "*"),)
    count = 0

    def fetch() -> None:
        nonlocal count
        for ds in client.iter_series(study, series, media_types=kept):
            limits.require(count)
            ds.save_as(folder / f"{count}.dcm", enforce_file_format=True)
            count += 1

    try:
        with session.ending(cut, _LONGEST_RETRIEVAL):
            _asked(fetch, session)
    except QueryError as error:
        raise RetrieveError(str(error)) from error
    if not count:
        raise RetrieveError("the DICOMweb server sends no image of a series")


def _datasets(page: list[Any]) -> list[Dataset]:
    return [Dataset.from_json(found) for found in page]


def _uids(found: Dataset) -> tuple[str, ...]:
    return tuple(
        text_of(found, name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )


def _client(url: str, token: str, session: WebSession) -> DICOMwebClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client = DICOMwebClient(url, session=session, headers=headers, timeout=_SECONDS)
    client.set_http_retry_params(retry=False)
    return client


def _asked(ask: Callable[[], _Answer], session: WebSession) -> _Answer:
    """Ask, and put what goes wrong into our words.

    An answer that has begun and breaks off is no sign that nobody is there.
    """
    try:
        return ask()
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in _BUSY:
            raise AssociationError(
                f"the DICOMweb server answers {status}: it is away, busy, or does not know us",
                "busy",
            ) from error
        raise QueryError(f"the DICOMweb server answers {status}") from error
    except requests.JSONDecodeError as error:
        raise QueryError("the DICOMweb server's answer is no DICOM JSON") from error
    except requests.RequestException as error:
        said = type(error).__name__
        if session.has_answered:
            raise QueryError(f"the DICOMweb server broke off ({said})") from error
        raise AssociationError(f"the DICOMweb server does not answer: {said}", "nobody") from error
    except DeliveryError as error:
        raise QueryError(str(error)) from error
    except (OSError, NightreadError):
        raise
    except MemoryError as error:
        raise QueryError("the DICOMweb server's answer needs more memory than there is") from error
    except Exception as error:
        # pydicom raises nearly anything on what is none of its kind.
        said = type(error).__name__
        if session.has_answered and isinstance(error, urllib3.exceptions.HTTPError):
            raise QueryError(f"the DICOMweb server broke off ({said})") from error
        raise QueryError(f"the DICOMweb server's answer is none ({said})") from error
