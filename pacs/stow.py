"""STOW-RS: files go to a DICOMweb server, PS3.18 10.5."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs.send import Sent
from pacs.survey import Part10File
from pacs.web_session import WebSession
from screening.errors import AssociationError, DeliveryError

_SECONDS = 30.0
_WARNING = 0xB000
_NOT_SAID = 0x0110
_CONFLICT, _ACCEPTED = 409, 202
_MOST_ANSWERED = 10_000_000
_NONE = "the DICOMweb server's answer is none of STOW-RS"


def stow(
    files: Sequence[Part10File], url: str, study_instance_uid: str, token: str = ""
) -> Iterator[Sent]:
    """Store files of one study, and say of each what became of it.

    Parameters
    ----------
    files
        Of the study.
    url
        Of the service, as ``https://pacs/dicom-web``.
    study_instance_uid
        Of the study: the server refuses what is of another.
    token
        Sent as ``Authorization: Bearer``; empty for none.

    Raises
    ------
    AssociationError
        If nobody answers.
    DeliveryError
        If the answer is none of STOW-RS.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client = DICOMwebClient(
        url, session=_Session(_MOST_ANSWERED), headers=headers, timeout=_SECONDS
    )
    client.set_http_retry_params(retry=False)
    try:
        answer = client.store_instances([_read(file) for file in files], study_instance_uid)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise DeliveryError(f"the DICOMweb server answers {status}") from error
    except requests.JSONDecodeError as error:
        raise DeliveryError(_NONE) from error
    except requests.RequestException as error:
        raise AssociationError(
            f"the DICOMweb server does not answer: {type(error).__name__}", "nobody"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeliveryError(_NONE) from error
    try:
        stored = {_uid(item): _warned(item) for item in answer.get("ReferencedSOPSequence") or ()}
        failed = {_uid(item): _reason(item) for item in answer.get("FailedSOPSequence") or ()}
    except (AttributeError, ValueError, TypeError) as error:
        raise DeliveryError(_NONE) from error
    for file in files:
        uid = file.sop_instance_uid
        if uid in stored:
            yield Sent(file.path, uid, stored[uid], accepted=True, explanation="")
        else:
            reason = failed.get(uid, _NOT_SAID)
            why = f"0x{reason:04X} refused by the DICOMweb server"
            yield Sent(file.path, uid, reason, accepted=False, explanation=why)


class _Session(WebSession):
    """Lets the library read what was refused where nothing was stored."""

    def send(
        self,
        request: requests.PreparedRequest,
        **choices: Any,  # noqa: ANN401
    ) -> requests.Response:
        answer = super().send(request, **choices)
        if answer.status_code == _CONFLICT:
            # PS3.18 Table 10.5.3-1: none was stored; which and why stands in what the library
            # reads of an answer that is no error alone.
            answer.status_code = _ACCEPTED
        return answer


def _read(file: Part10File) -> Dataset:
    ds = dcmread(file.path)
    # Without one it would be written without its file meta information.
    ds.preamble = bytes(128)
    return ds


def _uid(item: Dataset) -> str:
    return str(item.get("ReferencedSOPInstanceUID", ""))


def _warned(item: Dataset) -> int:
    return _WARNING if item.get("WarningReason") else 0


def _reason(item: Dataset) -> int:
    return int(item.get("FailureReason", _NOT_SAID))
