"""HTTP towards a DICOMweb server: it goes nowhere but where it was sent."""

from __future__ import annotations

from typing import Any

import requests

from screening.errors import DeliveryError


class WebSession(requests.Session):
    """Follows no redirect, and takes answers of a bounded size.

    Parameters
    ----------
    most_bytes
        Of an answer; 0 where whoever asked reads it piece by piece.
    """

    def __init__(self, most_bytes: int = 0) -> None:
        super().__init__()
        self._most_bytes = most_bytes

    def send(
        self,
        request: requests.PreparedRequest,
        **choices: Any,  # noqa: ANN401
    ) -> requests.Response:
        """Send a request, once.

        Raises
        ------
        DeliveryError
            If the server is elsewhere, or its answer does not end.
        """
        answer = super().send(request, **{**choices, "stream": True, "allow_redirects": False})
        if 300 <= answer.status_code < 400:
            answer.close()
            raise DeliveryError(
                f"the DICOMweb server answers {answer.status_code}: it is elsewhere, and its "
                "address in the file must say where"
            )
        if self._most_bytes:
            answer._content = self._whole(answer)
        return answer

    def _whole(self, answer: requests.Response) -> bytes:
        content = bytearray()
        for piece in answer.iter_content(65_536):
            content += piece
            if len(content) > self._most_bytes:
                answer.close()
                raise DeliveryError("the DICOMweb server's answer does not end")
        return bytes(content)
